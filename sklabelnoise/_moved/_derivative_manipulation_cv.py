"""Where version 0.1 had :class:`sklabelnoise.DMClassifierCV`."""

from sklabelnoise._classifiers._derivative_manipulation_cv import DMClassifierCV

__all__ = ["DMClassifierCV"]
