"""The classifier to call when labels are wrong."""

import time
import warnings
from numbers import Integral, Real
from zlib import crc32

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_sample_weight, _num_samples, check_consistent_length, check_is_fitted
from sklearn.utils.validation import validate_data
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from sklabelnoise._classifiers._fitted_state import keeping_fitted_state
from sklabelnoise._ensemble._combination import clean_posterior
from sklabelnoise._ensemble._decision import learn_decision
from sklabelnoise._ensemble._distinct_rows import distinct_rows
from sklabelnoise._ensemble._families import TrainingRows
from sklabelnoise._ensemble._left_out_folds import drawn_folds, given_folds, is_number_of_folds, of_distinct
from sklabelnoise._ensemble._members import families_of
from sklabelnoise._ensemble._views import Views
from sklabelnoise._ensemble._work import TimeIsOver, Work
from sklabelnoise._label_refinery._checkpoint import Checkpoint
