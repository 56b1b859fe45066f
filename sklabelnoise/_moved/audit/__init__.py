"""Modules of :mod:`sklabelnoise.audit` in version 0.1: a pickled report remembers where its class lived."""
