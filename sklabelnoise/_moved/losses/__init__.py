"""Modules of :mod:`sklabelnoise.losses` in version 0.1: a pickled network remembers the loss it was trained with."""
