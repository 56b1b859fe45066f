"""Losses and designed derivatives for training with wrong labels: functions of logits first, criteria second."""

from sklabelnoise.losses._criterion import PerExampleLoss
from sklabelnoise.losses._derivative import DMLoss, derivative_manipulation, potential
from sklabelnoise.losses._emphasis import (
    BetaEmphasis,
    DMEmphasis,
    ExponentialEmphasis,
    IMAEEmphasis,
    NormalEmphasis,
    check_emphasis,
)
from sklabelnoise.losses._registry import (
    NAMES,
    check_hyper_parameters,
    emphasis_of,
    get_loss,
    hyper_parameters,
)
from sklabelnoise.losses._robust import gce, mae, mse
from sklabelnoise.losses._self_correction import (
    ProSelfLCLoss,
    corrected_targets,
    global_trust,
    local_trust,
    proselflc,
)
from sklabelnoise.losses._targets import (
    confidence_penalty,
    cross_entropy,
    hard_bootstrapping,
    label_smoothing,
    soft_bootstrapping,
)

__all__ = [
    # derivative manipulation
    "DMLoss",
    "derivative_manipulation",
    "potential",
    "DMEmphasis",
    "ExponentialEmphasis",
    "NormalEmphasis",
    "BetaEmphasis",
    "IMAEEmphasis",
    "check_emphasis",
    # self correction
    "ProSelfLCLoss",
    "proselflc",
    "global_trust",
    "local_trust",
    "corrected_targets",
    # target design
    "cross_entropy",
    "label_smoothing",
    "confidence_penalty",
    "soft_bootstrapping",
    "hard_bootstrapping",
    # losses of the label's probability
    "mae",
    "mse",
    "gce",
    # by name
    "PerExampleLoss",
    "NAMES",
    "get_loss",
    "hyper_parameters",
    "check_hyper_parameters",
    "emphasis_of",
]
