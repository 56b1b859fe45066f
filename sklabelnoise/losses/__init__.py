"""Losses and designed derivatives for training with wrong labels: functions of logits first, criteria second."""

from pathlib import Path

from sklabelnoise.losses._active_passive import (
    nce_ael,
    nce_agce,
    nce_aue,
    nce_mae,
    nce_rce,
    nfl_ael,
    nfl_agce,
    nfl_aue,
    nfl_mae,
    nfl_rce,
)
from sklabelnoise.losses._asymmetric import ael, agce, aue
from sklabelnoise.losses._batch import OHEMLoss, PeerLoss
from sklabelnoise.losses._corrected import backward, forward, forward_symmetric
from sklabelnoise.losses._criterion import PerExampleLoss, make_criterion
from sklabelnoise.losses._derivative import DMLoss, derivative_manipulation, potential
from sklabelnoise.losses._derivative_view import emphasis_table, emphasis_variance
from sklabelnoise.losses._emphasis import (
    BetaEmphasis,
    DMEmphasis,
    ExponentialEmphasis,
    IMAEEmphasis,
    NormalEmphasis,
)
from sklabelnoise.losses._label_memory import JointOptimizationLoss, PENCILLoss, SOPLoss
from sklabelnoise.losses._normalized import nce, nfl, ngce, nmae, nrce
from sklabelnoise.losses._registry import (
    BATCH_CRITERIA,
    NAMES,
    ROW_CRITERIA,
    check_hyper_parameters,
    emphasis_of,
    get_loss,
    hyper_parameters,
)
from sklabelnoise.losses._robust import focal, gce, js, mae, mse, rce, sce, taylor_ce
from sklabelnoise.losses._self_correction import (
    ProSelfLCLoss,
    corrected_targets,
    global_trust,
    local_trust,
    proselflc,
)
from sklabelnoise.losses._stateful import ELRLoss, TruncatedGCELoss
from sklabelnoise.losses._targets import (
    confidence_penalty,
    cross_entropy,
    hard_bootstrapping,
    label_smoothing,
    soft_bootstrapping,
)
from sklabelnoise.losses._tempered import bi_tempered
from sklabelnoise.losses._weighting import check_emphasis
from sklabelnoise.losses._whole_prediction import brier, negative_learning

# Pickles of version 0.1 name modules that lived here; these are found beside those of the package itself.
__path__.append(str(Path(__file__).parents[1] / "_moved" / "losses"))

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
    "rce",
    "sce",
    "focal",
    "taylor_ce",
    "js",
    "agce",
    "aue",
    "ael",
    # loss correction
    "forward_symmetric",
    "forward",
    "backward",
    # losses of the whole prediction
    "nce",
    "nfl",
    "ngce",
    "nmae",
    "nrce",
    "nce_mae",
    "nce_rce",
    "nfl_mae",
    "nfl_rce",
    "nce_agce",
    "nce_aue",
    "nce_ael",
    "nfl_agce",
    "nfl_aue",
    "nfl_ael",
    "bi_tempered",
    "brier",
    "negative_learning",
    # losses with a memory of every row
    "ELRLoss",
    "TruncatedGCELoss",
    "JointOptimizationLoss",
    "PENCILLoss",
    "SOPLoss",
    # losses of a whole batch
    "OHEMLoss",
    "PeerLoss",
    # by name
    "PerExampleLoss",
    "make_criterion",
    "NAMES",
    "ROW_CRITERIA",
    "BATCH_CRITERIA",
    "get_loss",
    "hyper_parameters",
    "check_hyper_parameters",
    "emphasis_of",
    # the derivative view
    "emphasis_variance",
    "emphasis_table",
]
