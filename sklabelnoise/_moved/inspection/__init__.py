"""Modules of :mod:`sklabelnoise.inspection` in version 0.1: a pickled display remembers where its class lived."""
