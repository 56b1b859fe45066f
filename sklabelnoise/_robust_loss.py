"""Any loss of the literature in one classifier."""

from sklabelnoise._base import BaseNoisyLabelClassifier
from sklabelnoise._common_docs import document_common
from sklabelnoise.losses import NAMES, ROW_CRITERIA, hyper_parameters, make_criterion


@document_common
class RobustLossClassifier(BaseNoisyLabelClassifier):
    """Neural network trained with any loss of :mod:`sklabelnoise.losses`.

    Parameters
    ----------
    module : torch.nn.Module, class or factory, default=None
        The network, as in :class:`DMClassifier`.

    loss : str or callable, default="gce"
        A name of ``sklabelnoise.losses.NAMES``, such as "cross_entropy", "gce" or "mae", of ``ROW_CRITERIA`` for
        losses that remember every row ("elr", "truncated_gce"), or a function ``loss(logits, labels_or_targets)`` that
        returns one value per example. Its hyper-parameters are set as ``loss__q=0.7``, and can be searched.

    %(common_parameters)s

    Attributes
    ----------
    %(common_attributes)s

    See Also
    --------
    DMClassifier : Designs the derivative in place of the loss.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklabelnoise import RobustLossClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = RobustLossClassifier(loss="gce", loss__q=0.5, random_state=0).fit(X, y)
    >>> model.predict(X[:2])
    array([0, 0])
    """

    _net_prefixes = (*BaseNoisyLabelClassifier._net_prefixes, "loss")

    _parameter_constraints = {
        **BaseNoisyLabelClassifier._parameter_constraints,
        "loss": [str, callable],
    }

    def __init__(
        self,
        module=None,
        *,
        loss="gce",
        lr=None,
        weight_decay=None,
        max_epochs=None,
        batch_size=None,
        optimizer=None,
        lr_schedule=None,
        augment=None,
        class_weight=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        callbacks=None,
        device="auto",
        dtype="auto",
        warm_start=False,
        random_state=None,
        verbose=0,
        **net_params,
    ):
        super().__init__(
            module,
            lr=lr,
            weight_decay=weight_decay,
            max_epochs=max_epochs,
            batch_size=batch_size,
            optimizer=optimizer,
            lr_schedule=lr_schedule,
            augment=augment,
            class_weight=class_weight,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            callbacks=callbacks,
            device=device,
            dtype=dtype,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
            **net_params,
        )
        self.loss = loss

    def _known_net_params(self):
        hyper = sorted({name for loss in (*NAMES, *ROW_CRITERIA) for name in hyper_parameters(loss)})
        return [*super()._known_net_params(), *(f"loss__{name}" for name in hyper)]

    def _make_criterion(self):
        return make_criterion(self.loss, **self._params_for("loss"))
