"""One round of out-of-fold predictions: the E step of the stochastic label refinery."""

from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from inspect import signature

import numpy as np
from sklearn.utils.parallel import delayed

from sklabelnoise._compat import num_samples, safe_indexing
from sklabelnoise._foundation._cloned import cloned_with
from sklabelnoise._foundation._in_parallel import as_they_come
from sklabelnoise._foundation._last_step import last_step
from sklabelnoise._foundation._numeric_columns import note_what_is_no_number
from sklabelnoise._foundation._seeds import MAX_SEED
from sklabelnoise._foundation._taking_turns import in_turn
from sklabelnoise._label_refinery._interrupts import InterruptWatch


def _unnoticed(share):
    """Where nobody asks how far a round is."""


class LeftOutPredictor:
    """Predict every row by models that have not seen it.

    Parameters
    ----------
    members : list of (fit, estimator)
        Estimators whose predictions are averaged, each with a
        :class:`~sklabelnoise._label_refinery._soft_fit.DistributionFit` or
        :class:`~sklabelnoise._label_refinery._soft_fit.ValueFit`.
    X : array-like of shape (n_samples, n_features)
        Rows.
    y : ndarray of shape (n_samples,)
        Given labels or values.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights of the rows.
    groups : ndarray of shape (n_samples,) or None
        What belongs together, for members that leave rows out themselves.
    folds : FoldDrawer
        Draws the partition of each round.
    seeds : ndarray of int
        Seed of each round, from 1 on; element 0 is not used here.
    augment : callable or None, default=None
        ``augment(X, rng)`` returns a changed copy of the rows.
    n_augment : int, default=0
        Number of augmented copies whose predictions are averaged with that of the row itself.
    checkpoint : Checkpoint or None, default=None
        Keeps what is finished.
    n_jobs : int or None, default=None
        Fits that run at the same time.
    """

    def __init__(
        self,
        members,
        X,
        y,
        sample_weight,
        groups,
        *,
        folds,
        seeds,
        augment=None,
        n_augment=0,
        checkpoint=None,
        n_jobs=None,
    ):
        self.members = members
        self.X, self.y, self.sample_weight, self.groups = X, y, sample_weight, groups
        self.folds = folds
        self.seeds = seeds
        self.augment, self.n_augment = augment, n_augment
        self.checkpoint = checkpoint
        self.n_jobs = n_jobs

    def predict(self, number, targets, keep_models=False, advance=_unnoticed):
        """Fit every fold of a round and predict the rows it left out.

        Parameters
        ----------
        number : int
            Number of the round, from 1.
        targets : ndarray of shape (n_samples, n_classes) or (n_samples,)
            What the models of this round learn.
        keep_models : bool, default=False
            Whether the models are wanted too; then nothing is taken from the checkpoint.
        advance : callable
            Called with the share of the round that was done.

        Returns
        -------
        predicted : ndarray of the shape of `targets`
            Mean prediction of the members for each row.
        models : list of estimator instances or None
            The models of the folds, the members of the first fold first.
        losses : ndarray of shape (n_epochs,)
            Training loss of each epoch, averaged over the models that have a `loss_curve_` and still train then. Empty
            where none has.
        """
        stored = self._load(f"round-{number}") if not keep_models else None
        if stored is not None:
            # Where the run was ended right after it had saved the round.
            self.checkpoint.remove(_piece_name(number, "*", "*"))
            advance(1)
            return stored, None, self._load_losses(f"round-{number}")

        round_of_split = number if self.folds.resplit else 1
        splits = self.folds.draw(round_of_split, self._draw_seeds(round_of_split))
        seeds = self._draw_seeds(number, 1 + len(splits) * len(self.members))[1:].reshape(len(splits), -1)

        pieces = {}
        with failures_explained(f"round {number}", self.n_jobs, self.checkpoint, self.members, self.X) as watch:
            for j, (fit, estimator) in enumerate(self.members):
                if not keep_models and self._does_all_folds(estimator):
                    whole, curves = self._predict_all_folds(fit, estimator, targets, splits, seeds[0, j])
                    pieces.update({(i, j): (whole[test], None, curves[i]) for i, (_, test) in enumerate(splits)})
                    advance(1 / len(self.members))
            todo = [(i, j) for i in range(len(splits)) for j in range(len(self.members)) if (i, j) not in pieces]
            pieces.update(self._fit_pieces(number, todo, targets, splits, seeds, keep_models, watch, advance))
            # Summed in a fixed order: which fold ends first must not show in the last digit.
            in_order = [pieces[key] for key in sorted(pieces)]
            predicted = np.zeros_like(targets, dtype=np.float64)
            for (i, _), (values, _, _) in zip(sorted(pieces), in_order, strict=True):
                predicted[splits[i][1]] += values
            predicted /= len(self.members)
            losses = _mean_curve([curve for _, _, curve in in_order])

            if self.checkpoint is not None:
                watch.check()
                self._save(f"round-{number}", predicted, losses)
                self.checkpoint.remove(_piece_name(number, "*", "*"))
        return predicted, [model for _, model, _ in in_order] if keep_models else None, losses

    def _draw_seeds(self, number, size=None):
        return np.random.RandomState(self.seeds[number]).randint(MAX_SEED, size=size)

    def _load(self, name):
        return None if self.checkpoint is None else self.checkpoint.load(name)

    def _load_losses(self, name):
        losses = self._load(f"{name}-losses")
        return np.zeros(0) if losses is None else losses

    def _save(self, name, predicted, losses):
        # The losses first: where the predictions are, both are.
        if len(losses):
            self.checkpoint.save(f"{name}-losses", losses)
        self.checkpoint.save(name, predicted)

    def _does_all_folds(self, estimator):
        # Of the class: FrozenEstimator has what the estimator in it has, which must not be trained.
        hook = getattr(type(estimator), "_predict_left_out", None)
        if hook is None or self.n_augment:
            return False
        return self.sample_weight is None or "sample_weight" in signature(hook).parameters

    def _predict_all_folds(self, fit, estimator, targets, splits, seed):
        estimator = seeded_clone(estimator, seed)
        known = {} if self.sample_weight is None else {"sample_weight": self.sample_weight}
        if "classes" in signature(estimator._predict_left_out).parameters:
            known["classes"] = fit.classes  # what its class weights are named after
        predicted = np.asarray(estimator._predict_left_out(self.X, targets, splits, **known), dtype=np.float64)
        if predicted.shape != targets.shape or not np.isfinite(predicted).all():
            raise ValueError(
                f"_predict_left_out of {type(estimator).__name__} must return finite values of shape {targets.shape}. "
                f"Got shape {predicted.shape} with {int((~np.isfinite(predicted)).sum())} values that are not finite."
            )
        curves = getattr(estimator, "_left_out_loss_curves", None)
        return predicted, [np.zeros(0)] * len(splits) if curves is None else curves

    def _fit_pieces(self, number, todo, targets, splits, seeds, keep_models, watch, advance):
        """Prediction, model where it is kept, and losses of each (fold, member) to do."""
        pieces = {}
        if not keep_models:
            for key in todo:
                if (stored := self._load(_piece_name(number, *key))) is not None:
                    pieces[key] = stored, None, self._load_losses(_piece_name(number, *key))
            advance(len(pieces) / seeds.size)
        tasks = [
            delayed(_fit_piece)(
                key,
                *self.members[key[1]],
                self.X,
                self.y,
                targets,
                self.sample_weight,
                self.groups,
                splits[key[0]],
                seeds[key],
                self.augment,
                self.n_augment,
                keep_models,
            )
            for key in todo
            if key not in pieces
        ]
        for key, values, model, losses in as_they_come(self.n_jobs)(tasks):
            watch.check()
            pieces[key] = values, model, losses
            advance(1 / seeds.size)
            if self.checkpoint is not None:
                self._save(_piece_name(number, *key), values, losses)
        return pieces


@contextmanager
def failures_explained(place, n_jobs, checkpoint, members, X):
    """Say of any failure where in the refinery it happened, and what is left of the work; let no Ctrl-C be swallowed.

    Parameters
    ----------
    place : str
        Such as "round 2".
    n_jobs : int or None
        Fits that run at the same time.
    checkpoint : Checkpoint or None
        Where finished work is.
    members : list of (fit, estimator)
        What is fitted.
    X : array-like
        All rows.

    Yields
    ------
    watch : InterruptWatch
        To be checked before anything is kept.

    Raises
    ------
    RuntimeError
        In place of joblib's error if a worker process died; any other error, and Ctrl-C, gets a note.
    """
    kept = "Nothing is kept without 'checkpoint'."
    if checkpoint is not None:
        kept = f"What was finished is kept in {checkpoint.path}; the same fit goes on from there."
    try:
        with InterruptWatch() as watch:
            yield watch
            watch.check()
    except BrokenProcessPool as error:
        raise RuntimeError(
            f"A worker process died in {place}, most often for want of memory: with n_jobs={n_jobs} several fits run "
            f"at once. {kept}"
        ) from error
    except (Exception, KeyboardInterrupt) as error:
        note_what_is_no_number(error, X, members[0][1])
        error.add_note(f"This happened in {place} of the label refinery. {kept}")
        raise


def fit_member(fit, estimator, X, y, targets, sample_weight, groups, seed, rows=None):
    """A seeded clone of an estimator, fitted."""
    with in_turn(estimator):
        return fit.fit(seeded_clone(estimator, seed), X, y, targets, sample_weight, groups=groups, rows=rows, seed=seed)


def seeded_clone(estimator, seed):
    """Clone an estimator and fill in the seeds that its user left open.

    Parameters
    ----------
    estimator : estimator instance
        Left as it is.
    seed : int
        The integers for the clone's ``random_state`` parameters derive from it.

    Returns
    -------
    clone : estimator instance
        Unfitted. An integer ``random_state`` stays; None, and a generator, which parallel fits cannot share, become
        integers.
    """
    rng = np.random.RandomState(seed)
    parameters = estimator.get_params(deep=True)
    seeds = {
        name: rng.randint(MAX_SEED)
        for name in sorted(parameters)
        if name.rpartition("__")[2] == "random_state" and not isinstance(parameters[name], (int, np.integer))
    }
    return cloned_with(estimator, seeds)


def _fit_piece(key, fit, estimator, X, y, targets, sample_weight, groups, split, seed, augment, n_augment, keep_model):
    train, test = split
    weights, groups = (None if each is None else each[train] for each in (sample_weight, groups))
    model = fit_member(fit, estimator, X, y[train], targets[train], weights, groups, seed, rows=train)
    left_out = safe_indexing(X, test)
    predicted = fit.predict(model, left_out)
    rng = np.random.default_rng(seed)
    for _ in range(n_augment):
        predicted = predicted + fit.predict(model, _augmented(augment, left_out, rng))
    losses = np.asarray(getattr(last_step(model), "loss_curve_", ()), dtype=np.float64)
    return key, predicted / (1 + n_augment), model if keep_model else None, losses


def _augmented(augment, X, rng):
    """Rows as the user's function changes them, of which there must be as many."""
    changed = augment(X, rng)
    try:
        found = f"{num_samples(changed)} rows"
    except TypeError:  # of what has none
        found = f"a {type(changed).__name__}"
    if found != f"{num_samples(X)} rows":
        raise ValueError(f"augment must return a row for each of the {num_samples(X)} rows of its X. Got {found}.")
    return changed


def _mean_curve(curves):
    """Mean over the curves that reach each epoch."""
    longest = max(map(len, curves))
    padded = [np.pad(curve, (0, longest - len(curve)), constant_values=np.nan) for curve in curves]
    return np.nanmean(padded, axis=0) if longest else np.zeros(0)


def _piece_name(number, fold, member):
    return f"round-{number}-fold-{fold}-member-{member}"
