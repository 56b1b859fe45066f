"""Where version 0.1 had :class:`sklabelnoise.DMClassifier`."""

from sklabelnoise._classifiers._derivative_manipulation import DMClassifier

__all__ = ["DMClassifier"]
