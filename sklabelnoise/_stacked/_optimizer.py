"""One optimizer step for many stacked networks, each with rates of its own."""

import numpy as np
import torch

STACKABLE = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW)

# Options of torch's optimizers that choose how a step is computed, not which step.
_IMPLEMENTATION = ("foreach", "fused", "capturable", "differentiable")
# Coefficients of Adam that change from step to step where its rates stay.
_CHANGING = ("root", "rate")
_RATES = ("lr", "weight_decay", "momentum", "dampening", "beta1", "beta2", "eps")


class StackedOptimizer:
    """Steps of SGD, Adam or AdamW on parameters stacked to (G, K, ...).

    The updates are those of :class:`torch.optim.SGD`, :class:`torch.optim.Adam` and :class:`torch.optim.AdamW`,
    operation for operation; every rate may be one number or a number for each of the K replicas.

    Parameters
    ----------
    optimizer : type
        One of torch's three classes.
    parameters : dict of str to Tensor
        The stacked parameters, updated in place.
    rates : dict of str to float or ndarray of shape (K,)
        Values as :func:`optimizer_options` names them.
    nesterov : bool, default=False
        As in :class:`torch.optim.SGD`.
    decoupled_weight_decay : bool, default=None
        As in :class:`torch.optim.Adam`; None takes it from the class.
    """

    def __init__(self, optimizer, parameters, rates, *, nesterov=False, decoupled_weight_decay=None):
        self.parameters, self.nesterov = parameters, nesterov
        self.rates = {name: _collapse(value) for name, value in rates.items()}
        of_class = optimizer is torch.optim.AdamW
        self.decoupled = of_class if decoupled_weight_decay is None else decoupled_weight_decay
        self.is_sgd = optimizer is torch.optim.SGD
        n_moments = int(np.any(self.rates["momentum"])) if self.is_sgd else 2
        self.moments = {name: [torch.zeros_like(p) for _ in range(n_moments)] for name, p in parameters.items()}

    def coefficients(self, iterations, factors, *, changing_on_device=False):
        """What some steps multiply by; what differs between replicas is sent to the device for all steps at once.

        Parameters
        ----------
        iterations : sequence of int
            Numbers of steps taken before.
        factors : sequence of float or of ndarray of shape (K,)
            What the learning rates are multiplied by in each step.
        changing_on_device : bool, default=False
            Whether what changes from step to step is sent, too, though it is one number for all replicas.

        Returns
        -------
        coefficients : list of dict
            One dict a step, to be handed to :meth:`step`.
        """
        of_step, first = (self._sgd_coefficients, 0) if self.is_sgd else (self._adam_coefficients, 1)
        steps, sent = [], _CHANGING if changing_on_device and not self.is_sgd else ()
        for iteration, factor in zip(iterations, factors, strict=True):
            computed = of_step(iteration + first, **{**self.rates, "lr": self.rates["lr"] * factor})
            step = {name: _collapse(value) for name, value in computed.items()}
            width = max((value.size for value in step.values() if not isinstance(value, float)), default=1)
            steps.append(step | {name: np.broadcast_to(step[name], width) for name in sent})
        places = [(i, name) for i, step in enumerate(steps) for name in step if not isinstance(step[name], float)]
        if places:
            like = next(iter(self.parameters.values()))
            values = torch.as_tensor(np.stack([steps[i][name] for i, name in places]), dtype=like.dtype)
            for (i, name), value in zip(places, values.to(like.device, non_blocking=True), strict=True):
                steps[i][name] = value
        return steps

    @torch.no_grad()
    def step(self, gradients, coefficients, *, folds=slice(None)):
        """Update the parameters of some folds.

        Parameters
        ----------
        gradients : dict of str to Tensor
            Gradients of these folds, shape (g, K, ...). They may be overwritten.
        coefficients : dict
            Those of this step, see :meth:`coefficients`.
        folds : slice, default=slice(None)
            Which folds.
        """
        update = self._sgd if self.is_sgd else self._adam
        for name, gradient in gradients.items():
            extra = [1] * (gradient.ndim - 2)
            shaped = {key: c if isinstance(c, float) else c.view(-1, *extra) for key, c in coefficients.items()}
            update(self.parameters[name][folds], gradient, *(m[folds] for m in self.moments[name]), **shaped)

    def _sgd_coefficients(self, iteration, lr, weight_decay, momentum, dampening):
        share = 1.0 if iteration == 0 else 1 - dampening  # the buffer starts as the first gradient, undamped
        return {"decay": weight_decay, "momentum": momentum, "share": share, "rate": -lr}

    def _sgd(self, p, gradient, buffer=None, *, decay, momentum, share, rate):
        gradient = _add(gradient, p, decay)
        if buffer is not None:
            _add(buffer.mul_(momentum), gradient, share)
            gradient = _add(gradient, buffer, momentum) if self.nesterov else buffer
        _add(p, gradient, rate)

    def _adam_coefficients(self, n_steps, lr, weight_decay, beta1, beta2, eps):
        return {
            "decay": 1 - lr * weight_decay if self.decoupled else weight_decay,
            "lerp": 1 - beta1,
            "beta2": beta2,
            "rest2": 1 - beta2,
            "root": (1 - beta2**n_steps) ** 0.5,
            "eps": eps,
            "rate": -(lr / (1 - beta1**n_steps)),
        }

    def _adam(self, p, gradient, mean, square, *, decay, lerp, beta2, rest2, root, eps, rate):
        if self.decoupled:
            p.mul_(decay)
        else:
            gradient = _add(gradient, p, decay)
        mean.lerp_(gradient, lerp)
        if isinstance(rest2, float):
            square.mul_(beta2).addcmul_(gradient, gradient, value=rest2)
        else:
            square.mul_(beta2).addcmul_(gradient * rest2, gradient)
        denominator = square.sqrt().div_(root).add_(eps)
        if isinstance(rate, float):
            p.addcdiv_(mean, denominator, value=rate)
        else:
            p.add_((mean * rate).div_(denominator))


def optimizer_options(optimizer):
    """Split the options of a torch optimizer into rates, which may differ between replicas, and the rest.

    Parameters
    ----------
    optimizer : torch.optim.SGD, torch.optim.Adam or torch.optim.AdamW
        Of one fold of parameters, before its first step.

    Returns
    -------
    rates : dict of str to float
        ``lr``, ``weight_decay`` and so on; ``betas`` as ``beta1`` and ``beta2``.
    options : dict
        What the replicas of one stack have to share, without what only chooses an implementation.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise._stacked._optimizer import optimizer_options
    >>> optimizer_options(torch.optim.SGD([torch.zeros(1)], lr=0.1, momentum=0.9))
    ({'lr': 0.1, 'weight_decay': 0, 'momentum': 0.9, 'dampening': 0}, {'maximize': False, 'nesterov': False})
    """
    (group,) = optimizer.param_groups
    options = {name: group[name] for name in sorted(optimizer.defaults) if name not in _IMPLEMENTATION}
    if "betas" in options:
        options["beta1"], options["beta2"] = options.pop("betas")
    return {name: options.pop(name) for name in _RATES if name in options}, options


def _collapse(values):
    """One float where all are equal: then the step is torch's own arithmetic with numbers."""
    values = np.asarray(values, dtype=np.float64)
    return float(values.flat[0]) if (values == values.flat[0]).all() else values


def _add(out, x, scale):
    """``out += scale * x`` in place."""
    if not isinstance(scale, float):
        return out.addcmul_(x, scale)
    return out.add_(x, alpha=scale) if scale else out
