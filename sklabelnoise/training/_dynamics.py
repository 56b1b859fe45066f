"""What a network learns, epoch by epoch: clean labels, wrong labels, and how far it trusts itself."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.utils import check_array
from torch.utils.data import Dataset

from sklabelnoise._foundation._classes import check_classes, encode
from sklabelnoise._foundation._frames import pandas_frame
from sklabelnoise._foundation._given import check_not_masked, label_column, of_tensor
from sklabelnoise._foundation._matrix import naming
from sklabelnoise._foundation._types import Labels, Rows
from sklabelnoise.training._forward import map_batches
from sklabelnoise.training._watch import TrainingLogits, odds_of

_VALUES = ("label_proba", "entropy", "as_given", "as_true", "trust", "emphasis")
_GROUPS = ("all", "clean", "wrong")


class LearningDynamics(TrainingLogits):
    """Record what the network makes of clean and of wrong training labels, in each epoch.

    The values are taken from the forward passes of training itself, each row once an epoch, before the update it takes
    part in, with dropout and augmentation as they are in training: nothing is computed twice. They stand in `history_`
    of the classifier:

    * ``label_proba``: mean probability of the given labels; ``entropy``: mean entropy of the predictions, in nats;
      ``trust``: mean trust in the predictions, for `ProSelfLCClassifier`;
    * ``emphasis_variance``: how differently the examples are weighted, the variance of their weights in a batch, on
      average over the batches. The weight of an example is the L1 norm of the derivative of the loss with respect to
      its logits, over the mean of its batch, so that losses of any scale compare;
    * with `y_clean`: ``label_proba_clean`` and ``label_proba_wrong``, the mean probability of the given labels that
      are right and of those that are wrong; ``corrupted_accuracy`` and ``intact_accuracy``, agreement of the
      predictions with the given and with the true labels; ``memorization_rate`` and ``correction_rate``, the share of
      the wrong labels that the network predicts as given and as they should be; ``emphasis_wrong``, the share of the
      derivatives, by their L1 norms, that is of wrong labels: how much of what the network is taught is wrong;
    * with `X_test` and `y_test`: ``test_accuracy``, at the end of the epoch.

    Parameters
    ----------
    y_clean : array-like of shape (n_samples,), default=None
        True labels of the training rows.

    X_test : {array-like, sparse matrix, Dataset} of shape (n_test, ...), default=None
        Test rows as the network takes them: behind a scaler in a Pipeline, scaled ones. The columns of a frame are
        found by name where the network was fitted to one.

    y_test : array-like of shape (n_test,), default=None
        Their true labels.

    classes : array-like of shape (n_classes,), default=None
        All classes, in any order. None takes those of `y_clean` and `y_test`; pass them if a class occurs in the given
        labels only.

    Notes
    -----
    Labels are of the classifier's own rows. With ``early_stopping=True`` or weights of zero it leaves rows out, which
    `y_clean` can't follow; hold out rows yourself and pass them as ``X_val, y_val``.

    References
    ----------
    Wang et al.: "Derivative Manipulation for General Example Weighting", Definition 2 and Figures 2 and 5.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklabelnoise import DMClassifier
    >>> from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix
    >>> from sklabelnoise.training import LearningDynamics
    >>> X, y_clean = load_digits(return_X_y=True)
    >>> y = corrupt_labels(y_clean, symmetric_transition_matrix(10, 0.4), random_state=0)
    >>> dynamics = LearningDynamics(y_clean)
    >>> model = DMClassifier(lam=1, beta=12, max_epochs=5, callbacks=[dynamics], random_state=0).fit(X, y)
    >>> last = model.history_.iloc[-1]
    >>> bool(last["label_proba_clean"] > last["label_proba_wrong"])
    True
    """

    follows_derivative = True

    def __init__(
        self,
        y_clean: Labels | None = None,
        *,
        X_test: Rows | None = None,
        y_test: Labels | None = None,
        classes: Labels | None = None,
    ):
        self.y_clean = y_clean
        self.X_test = X_test
        self.y_test = y_test
        self.classes = classes

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        super().on_train_begin(net, X, y, **kwargs)
        self.labels_ = X.labels
        self.clean_, self.test_labels_ = self._encode(len(self.labels_), net)
        self.test_ = None if self.X_test is None else net.get_dataset(_as_inputs(self.X_test, net, X))
        everything = torch.ones(1, len(self.labels_), device=self.labels_.device)
        right = everything[:0] if self.clean_ is None else (self.labels_ == self.clean_)[None].float()
        self.groups_ = torch.cat([everything, right, 1 - right])  # in the order of _GROUPS

    def _encode(self, n_samples, net):
        """Indices of the true training and test labels among the classes, None where they are not known."""
        if (self.X_test is None) != (self.y_test is None):
            raise ValueError("X_test and y_test belong together, got only one of them.")
        named = {"y_clean": self.y_clean, "y_test": self.y_test}
        named = {name: None if y is None else label_column(y, name) for name, y in named.items()}
        known = [y for y in named.values() if y is not None]
        if not known:
            return None, None
        if self.y_clean is not None and len(self.y_clean) != n_samples:
            raise ValueError(
                f"y_clean must have one label for each training row: expected {n_samples}, got {len(self.y_clean)}."
            )
        if self.y_test is not None and len(self.y_test) != (n_test := _n_rows(self.X_test)):
            raise ValueError(f"y_test must have {n_test} labels as X_test, got {len(self.y_test)}.")
        classes = np.unique(np.concatenate(known)) if self.classes is None else check_classes(self.classes)
        if net.label_names_ is not None and len(classes) == len(net.label_names_):
            if set(classes.tolist()) != set(net.label_names_.tolist()):
                raise ValueError(
                    f"y_clean and y_test must have the classes of the network, {net.label_names_.tolist()}, got "
                    f"{classes.tolist()}."
                )
            classes = net.label_names_
        codes = [None if y is None else encode(y, classes, name=name)[1] for name, y in named.items()]
        self.n_known_ = len(classes)
        return [None if code is None else torch.as_tensor(code, device=net.device) for code in codes]

    def on_epoch_begin(self, net, **kwargs):
        # One row a quantity, one column a training row: means are then one product with the groups below.
        self.values_ = torch.zeros(len(_VALUES), len(self.labels_), device=self.labels_.device)
        self.seen_ = torch.zeros(len(self.labels_), device=self.labels_.device)
        self.variances_ = []

    @torch.no_grad()
    def take_derivative(self, indices, derivative):
        weight = derivative.float().abs().sum(-1)
        self.values_[_VALUES.index("emphasis"), indices] = weight
        self.variances_.append((weight / weight.mean()).var(correction=0))

    def take(self, net, indices, logits, progress):
        if self.clean_ is not None or self.test_labels_ is not None:
            self._check_classes(logits.shape[-1])
        odds, shifted, total = odds_of(logits)
        entropy = total.log() - (odds * shifted).sum(-1) / total
        predicted, labels = logits.argmax(-1), self.labels_[indices]
        values = [
            odds.gather(1, labels[:, None]).squeeze(1) / total,
            entropy,
            predicted == labels,
            torch.zeros_like(labels) if self.clean_ is None else predicted == self.clean_[indices],
            torch.zeros_like(labels),
        ]
        trust = net.criterion_.trust(logits, progress)
        self.has_trust_ = trust is not None
        if self.has_trust_:
            values[-1] = trust
        self.values_[: len(values), indices] = torch.stack([value.float() for value in values])
        self.seen_[indices] = 1  # an iterator with drop_last leaves some rows out

    def _check_classes(self, n_classes):
        if self.n_known_ != n_classes:
            raise ValueError(
                f"y_clean and y_test must have the {n_classes} classes of the network, got {self.n_known_}: pass "
                "classes."
            )

    @torch.no_grad()
    def on_epoch_end(self, net, **kwargs):
        self.flush(net)
        groups = self.groups_ * self.seen_
        variance = torch.stack(self.variances_).nanmean().expand(1, len(groups))
        # one transfer from the device
        *totals, (variance, *_) = torch.cat([self.values_ @ groups.T, groups.sum(1)[None], variance]).tolist()
        mean = {
            (name, group): total / n if n else float("nan")
            for name, row in zip(_VALUES, totals[:-1], strict=True)
            for group, total, n in zip(_GROUPS, row, totals[-1], strict=False)
        }
        emphasis = totals[_VALUES.index("emphasis")]
        recorded = {
            "label_proba": mean["label_proba", "all"],
            "entropy": mean["entropy", "all"],
            "emphasis_variance": variance,
        }
        if self.has_trust_:
            recorded["trust"] = mean["trust", "all"]
        if self.clean_ is not None:
            recorded |= {
                "label_proba_clean": mean["label_proba", "clean"],
                "label_proba_wrong": mean["label_proba", "wrong"],
                "corrupted_accuracy": mean["as_given", "all"],
                "intact_accuracy": mean["as_true", "all"],
                "memorization_rate": mean["as_given", "wrong"],
                "correction_rate": mean["as_true", "wrong"],
                "emphasis_wrong": emphasis[2] / emphasis[0] if emphasis[0] else float("nan"),
            }
        if self.test_ is not None:
            predicted = map_batches(net, self.test_, lambda module, x: module(x).argmax(-1))
            recorded["test_accuracy"] = float((predicted == self.test_labels_.cpu()).float().mean())
        for name, value in recorded.items():
            net.history.record(name, value)

    def on_train_end(self, net, X=None, y=None, **kwargs):
        super().on_train_end(net, X, y, **kwargs)
        # The training set belongs to the caller; a pickle of the classifier need not carry it.
        del self.labels_, self.clean_, self.test_, self.test_labels_
        del self.groups_, self.values_, self.seen_, self.variances_


def _n_rows(X):
    shape = (len(X),) if isinstance(X, Dataset) else getattr(X, "shape", None) or np.shape(X)
    if not shape or not shape[0]:
        raise ValueError(f"X_test must hold test rows, got {'none' if shape else repr(X)}.")
    return shape[0]


def _as_inputs(X, net, trained_on):
    """Test rows of any container in the type the network computes in; uint8 images stay as they are.

    Raises
    ------
    TypeError, ValueError
        If they are no finite numbers, or other columns or of another shape than those of training.
    """
    frame = pandas_frame(X, "X_test") if net.feature_names_ is not None else None
    if frame is not None:
        names = net.feature_names_.tolist()
        if sorted(map(str, frame.columns)) != sorted(names):
            raise ValueError(
                f"X_test must have the columns that the network was trained on, {names}, got {list(frame)}."
            )
        X = frame[names].to_numpy()
    if isinstance(X, Dataset):
        return X
    X = of_tensor(X)
    check_not_masked(X, "X_test")
    with naming("X_test", "(n_test, ...)"):
        keeps = np.uint8 if getattr(X, "dtype", None) == np.uint8 and X.ndim == 4 else net.numpy_dtype
        X = check_array(X, accept_sparse="csr", dtype=keeps, allow_nd=True, ensure_2d=False, input_name="X_test")
    shape = getattr(trained_on, "X", X).shape[1:]
    if X.shape[1:] != tuple(shape):
        raise ValueError(
            f"X_test must have rows of shape {tuple(shape)}, as the network was trained on, got {X.shape[1:]}."
        )
    return X
