"""The loop of the stochastic label refinery: predict what was left out, move the labels towards it, repeat."""

from __future__ import annotations

import logging
import os
from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from numbers import Integral, Real
from time import perf_counter
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import Bunch, get_tags, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sklabelnoise._compat import HasMethods, Interval, StrOptions, check_y
from sklabelnoise._foundation._callers_line import warn
from sklabelnoise._foundation._checkpoint import first_seed, open_checkpoint
from sklabelnoise._foundation._given import check_groups, check_none_missing, check_weights
from sklabelnoise._foundation._last_step import last_step
from sklabelnoise._foundation._named_members import check_names, is_dropped, parameters_of, with_members
from sklabelnoise._foundation._numeric_columns import check_is_rows, check_no_texts, check_numeric_columns
from sklabelnoise._foundation._progress import Progress
from sklabelnoise._foundation._seeds import MAX_SEED
from sklabelnoise._foundation._types import CrossValidation, Estimator, RandomState
from sklabelnoise._foundation._warning_filters import callers_filters
from sklabelnoise._label_refinery._left_out import LeftOutPredictor, failures_explained, fit_member
from sklabelnoise._label_refinery._soft_fit import takes
from sklabelnoise._label_refinery._splits import FoldDrawer

logger = logging.getLogger(__name__)

# Parameters that decide how many rounds there are, or what is done after them: rounds of runs that differ in
# nothing else are the same, so those runs share a checkpoint.
_NOT_IN_THE_ROUNDS = {
    "n_rounds", "tol", "final", "relabel", "thresholds", "checkpoint", "callback", "n_jobs", "verbose"
}  # fmt: skip


class BaseLabelRefinery(MetaEstimatorMixin, BaseEstimator, metaclass=ABCMeta):
    """The loop over rounds; subclasses say what a target is and how far it moved."""

    _parameter_constraints = {
        "estimator": [None, HasMethods("fit"), list],
        "n_rounds": [Interval(Integral, 0, MAX_SEED, closed="left")],
        "label_weight": [Interval(Real, 0, None, closed="neither"), StrOptions({"average"})],
        "cv": ["cv_object", StrOptions({"auto"})],
        "resplit": ["boolean"],
        "final": [StrOptions({"refit", "folds"})],
        "soft_label_method": [StrOptions({"auto", "soft_labels", "replicate", "regression", "argmax"})],
        "augment": [None, callable],
        "n_augment": [Interval(Integral, 0, None, closed="left")],
        "tol": [None, Interval(Real, 0, None, closed="left")],
        "checkpoint": [None, str, os.PathLike],
        "callback": [None, callable],
        "n_jobs": [None, Integral],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    estimator: Estimator | list[Estimator | tuple[str, Estimator]] | None
    n_rounds: int
    label_weight: float | Literal["average"]
    cv: CrossValidation
    resplit: bool
    final: Literal["refit", "folds"]
    soft_label_method: str
    augment: Callable[..., Any] | None
    n_augment: int
    tol: float | None
    checkpoint: str | os.PathLike[str] | None
    callback: Callable[..., Any] | None
    n_jobs: int | None
    random_state: RandomState
    verbose: int

    def _store(self, given):
        """Set the parameters that a constructor was called with, its local variables."""
        vars(self).update({name: value for name, value in given.items() if name not in ("self", "__class__")})

    @abstractmethod
    def _default_estimator(self):
        """What None stands for."""

    @abstractmethod
    def _first_targets(self, given, classes):
        """What the first round learns: a new array of float64."""

    @abstractmethod
    def _about_given(self, given, predicted):
        """What of the predictions is averaged over the rounds, one value a row: what they say of the given labels."""

    @abstractmethod
    def _describe(self, given, learned, predicted, refined, average):
        """Numbers about one round, for `history_`; `average` takes the mean over rows."""

    def _note(self, given, predicted):
        """What `_settle` is to know of the first round, whose predictions are not kept."""

    def _settle(self, noted, given, refined, predicted, mean_about_given):
        """The labels that the final models learn, from those of the last round and what the rounds predicted."""
        return refined

    def _estimators(self):
        if isinstance(self.estimator, list):
            if not self.estimator:
                raise ValueError("The 'estimator' parameter must be an estimator or a list of them. Got an empty list.")
            check_names(self.estimator, super().get_params(deep=False), "estimator")
            named = [one[0] for one in self.estimator if isinstance(one, tuple | list) and len(one) == 2]
            if twice := [name for i, name in enumerate(named) if name in named[:i]]:
                raise ValueError(f"estimator must have different names, got {twice[0]!r} twice.")
            kept = [self._member(one) for one in self.estimator if not is_dropped(one)]
            if not kept:
                raise ValueError("The 'estimator' parameter must have one that is not dropped. Got 'drop' for all.")
            return kept
        if self.estimator is not None:
            return [self.estimator]
        # Nobody can set requests on an estimator that was not given.
        default = self._default_estimator()
        return [default.set_fit_request(sample_weight=True) if get_config()["enable_metadata_routing"] else default]

    @staticmethod
    def _member(entry):
        """The estimator of an entry in the list: it itself, or with a name before it."""
        estimator = entry[1] if isinstance(entry, tuple | list) and len(entry) == 2 else entry
        if not hasattr(estimator, "fit"):
            raise ValueError(
                f"The 'estimator' parameter must be an estimator or a list of them. Got {entry!r} in the list."
            )
        return estimator

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters, those of the estimator, or of estimators with names in a list, included.

        Parameters
        ----------
        deep : bool, default=True
            Whether to return the parameters of estimators as well, by names such as ``estimator__C``, or ``forest__C``
            of ``("forest", estimator)`` in a list.

        Returns
        -------
        params : dict
            Parameter names and values.
        """
        own = super().get_params(deep=deep)
        return {**parameters_of(self.estimator), **own} if deep else own

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of the estimator, or of estimators with names in a list, included.

        Parameters
        ----------
        **params : dict
            Parameter names and values. The name of an estimator in a list puts another in its place, or "drop".

        Returns
        -------
        self : estimator instance
        """
        if "estimator" in params:  # before what is set of it
            self.estimator = params.pop("estimator")
        self.estimator, params = with_members(self.estimator, params, super().get_params(deep=False))
        return super().set_params(**params)

    def _check_rows(self, X, y, sample_weight, groups):
        """Rows that can be indexed; labels, weights and groups of the same length."""
        if y is None:
            raise ValueError(f"This {type(self).__name__} estimator requires y to be passed, but the target y is None.")
        check_is_rows(X)
        self._check_numbers(X)
        (X,) = indexable(X)
        check_none_missing(y)
        y = check_y(y, estimator=self)
        check_consistent_length(X, y)
        if len(y) < 2:
            raise ValueError(f"{type(self).__name__} needs at least 2 rows. Got n_samples = {len(y)}.")
        if sample_weight is not None:
            sample_weight = check_weights(sample_weight, len(y))
        return X, y, sample_weight, check_groups(groups, len(y))

    def _check_numbers(self, X):
        """Refuse rows that the default estimator can't take; an estimator of the user speaks for itself."""
        if self.estimator is None:
            check_numeric_columns(X, type(self).__name__)
            check_no_texts(X, type(self).__name__)

    def _refine(self, members, X, y, given, sample_weight, groups, classes=None):
        """Run the rounds and fit the final models; nothing of `self` changes before all of it has succeeded.

        `given` are the labels as column numbers, or values.
        """
        if self.final == "folds" and self.n_rounds == 0:
            raise ValueError("final='folds' averages the models of the last round: it needs n_rounds >= 1. Got 0.")
        if self.n_augment > 0 and self.augment is None:
            raise ValueError(f"n_augment={self.n_augment} needs a callable augment(X, rng). Got augment=None.")
        if self.n_augment == 0 and self.augment is not None:
            warn("augment is not used with n_augment=0, which is the number of augmented copies of each row.")
        sample_weight, groups, members_groups = self._routed(sample_weight, groups)
        for _, estimator in members:
            if sample_weight is not None and not takes(estimator, "sample_weight"):
                raise ValueError(
                    f"sample_weight needs an estimator whose fit takes it. Got {type(last_step(estimator)).__name__}."
                )

        # An iterator can be gone through once: here, for its hash and for every round.
        cv = list(self.cv) if hasattr(self.cv, "__next__") else self.cv
        checkpoint = open_checkpoint(
            self, (X, y, sample_weight, groups, members_groups), apart=_NOT_IN_THE_ROUNDS, cv=cv
        )
        rng = np.random.RandomState(first_seed(self.random_state, checkpoint))
        seeds = rng.randint(MAX_SEED, size=1 + self.n_rounds)
        folds = None
        if self.n_rounds:
            folds = FoldDrawer(cv, X, y, groups, classes=classes, sample_weight=sample_weight, resplit=self.resplit)
        left_out = LeftOutPredictor(
            members,
            X,
            y,
            sample_weight,
            members_groups,
            folds=folds,
            seeds=seeds,
            augment=self.augment,
            n_augment=self.n_augment,
            checkpoint=checkpoint,
            n_jobs=self.n_jobs,
        )
        n_steps = self.n_rounds + (self.final == "refit")
        with Progress(n_steps, type(self).__name__, unit="rounds", shown=self.verbose) as bar:
            return self._run(members, X, y, given, classes, sample_weight, seeds, left_out, checkpoint, bar)

    def _run(self, members, X, y, given, classes, sample_weight, seeds, left_out, checkpoint, bar):
        """The rounds and the final fits.

        Tables of a column a class are as large as X where classes are many, and the final fit has the largest X of
        all: only the labels it learns and the last predictions stand beside it, and fewer beside those of a round.
        """
        refined, noted, predicted, models, number = self._first_targets(given, classes), None, None, None, 0
        mean_about_given, history = np.zeros(len(y)), []
        for number in range(1, self.n_rounds + 1):
            start = perf_counter()
            learned, predicted = refined, None
            is_last = number == self.n_rounds
            predicted, models, losses = left_out.predict(
                number, learned, keep_models=is_last and self.final == "folds", advance=bar.advance
            )
            noted = self._note(given, predicted) if number == 1 else noted
            weight = number if self.label_weight == "average" else self.label_weight
            refined = weight * learned
            refined += predicted
            refined /= weight + 1

            mean_about_given += (self._about_given(given, predicted) - mean_about_given) / number
            described = self._describe(
                given, learned, predicted, refined, lambda values: float(np.average(values, weights=sample_weight))
            )
            history.append({"round": number, **described, **({"losses": losses.tolist()} if len(losses) else {})})
            self._report(history[-1], refined, predicted, perf_counter() - start, bar)
            if self.tol is not None and described["change"] <= self.tol:
                break

        if self.final == "refit":
            learned = None  # no longer needed
        if number:
            refined = self._settle(noted, given, refined, predicted, mean_about_given)
        if self.final == "refit":
            with failures_explained("the final fit", self.n_jobs, checkpoint, members, X):
                models = self._refit(members, X, y, refined, sample_weight, left_out.groups, seeds[0])
            bar.finish()
        elif models is None:
            _, models, _ = left_out.predict(number, learned, keep_models=True)
        return Bunch(
            refined=refined,
            predicted=predicted,
            mean_about_given=mean_about_given,
            history=pd.DataFrame(history).set_index("round") if history else pd.DataFrame(),
            n_iter=number,
            models=models,
            sample_weight=sample_weight,
        )

    def _refit(self, members, X, y, refined, sample_weight, groups, seed):
        seeds = np.random.RandomState(seed).randint(MAX_SEED, size=len(members))
        return Parallel(n_jobs=self.n_jobs)(
            delayed(fit_member)(*member, X, y, refined, sample_weight, groups, member_seed)
            for member, member_seed in zip(members, seeds, strict=True)
        )

    def _routed(self, sample_weight, groups):
        """Weights for the estimators and groups for the splitter and for them, as far as those ask for them."""
        if not get_config()["enable_metadata_routing"] or (sample_weight is None and groups is None):
            return sample_weight, groups, groups
        metadata = {"sample_weight": sample_weight, "groups": groups}
        metadata = {name: value for name, value in metadata.items() if value is not None}
        routed = process_routing(self, "fit", **metadata)
        if sample_weight is not None and not all("sample_weight" in routed[name].fit for name in self._route_names()):
            sample_weight = None
        members_groups = groups if any("groups" in routed[name].fit for name in self._route_names()) else None
        if hasattr(self.cv, "get_metadata_routing"):
            groups = routed.splitter.split.get("groups")
        return sample_weight, groups, members_groups

    def _route_names(self):
        return [f"estimator_{i}" for i in range(len(self._estimators()))]

    def get_metadata_routing(self) -> MetadataRouter:
        """Get metadata routing of this object.

        Returns
        -------
        routing : MetadataRouter
            `sample_weight` and `groups` go to the `fit` of each estimator (``estimator_0``, ``estimator_1``, ...) and
            `groups` to the `split` of the splitter, where those request it.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        fit_to_fit = MethodMapping().add(caller="fit", callee="fit")
        for name, estimator in zip(self._route_names(), self._estimators(), strict=True):
            router.add(**{name: estimator}, method_mapping=fit_to_fit)
        if hasattr(self.cv, "get_metadata_routing"):
            router.add(splitter=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
        return router

    def _report(self, described, refined, predicted, seconds, bar):
        numbers = ", ".join(
            f"{name} {value:.4g}" for name, value in described.items() if name not in ("round", "losses")
        )
        line = f"[{type(self).__name__}] round {described['round']} of {self.n_rounds}: {numbers} ({seconds:.1f} s)"
        logger.info(line)
        if self.verbose:
            bar.write(line)
        if self.callback is not None:
            self.callback(Bunch(**described, n_rounds=self.n_rounds, soft_labels=refined, predicted=predicted))

    def _set_fitted(self, members, models, **attributes):
        """Replace everything an earlier fit left behind."""
        state = {name: value for name, value in vars(self).items() if name.startswith("_") or not name.endswith("_")}
        state["_fits"] = [fit for fit, _ in members]
        if self.final == "refit" and len(models) == 1:
            state["estimator_"] = models[0]
        else:
            state["estimators_"] = models
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(models[0], name):
                state[name] = getattr(models[0], name)
        # At once: Ctrl-C must not leave half of it.
        self.__dict__ = state | attributes

    @callers_filters()
    def _predict_mean(self, X):
        """Mean prediction of the final models."""
        check_is_fitted(self)
        self._check_numbers(X)
        models = getattr(self, "estimators_", None) or [self.estimator_]
        # Models of folds come with the members of the first fold first, so the members' fits take turns.
        return np.mean([self._fits[i % len(self._fits)].predict(model, X) for i, model in enumerate(models)], axis=0)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        try:
            inner = [get_tags(estimator) for estimator in self._estimators()]
        except (AttributeError, TypeError, ValueError):
            # Tags are asked for by a notebook that shows the object, too: `fit` says what is wrong with the estimator.
            return tags
        for name in ("sparse", "allow_nan", "string", "categorical", "three_d_array", "two_d_array"):
            setattr(tags.input_tags, name, all(getattr(one.input_tags, name) for one in inner))
        tags.input_tags.positive_only = any(one.input_tags.positive_only for one in inner)
        tags.non_deterministic = any(one.non_deterministic for one in inner)
        return tags
