"""Modules of the label refinery in version 0.1: a pickle remembers where its classes lived."""
