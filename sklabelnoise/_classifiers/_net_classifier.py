"""skorch's dunder parameters as parameters of a scikit-learn estimator."""

import difflib

# What parameters are called in scikit-learn's MLPClassifier and HistGradientBoostingClassifier.
_OF_SCIKIT_LEARN = {
    "alpha": "weight_decay",
    "hidden_layer_sizes": "module__hidden",
    "learning_rate": "lr",
    "learning_rate_init": "lr",
    "max_iter": "max_epochs",
    "solver": "optimizer",
}


class NetParamsMixin:
    """Keeps ``**net_params`` in a private dict and makes them part of the estimator's parameters.

    To be placed before ``BaseEstimator`` among the bases.
    """

    # Prefixes of skorch's dunder parameters and names of its switches.
    _net_prefixes = ("module", "optimizer", "iterator_train", "iterator_valid", "callbacks")
    _net_switches = ("amp", "compile", "channels_last")

    def _set_net_params(self, net_params):
        for name in net_params:
            self._check_net_param(name, TypeError)
        self._net_params = net_params

    def _check_net_param(self, name, error):
        prefix, delimiter, suffix = name.partition("__")
        # scikit-learn's common checks pass every name of the signature, that of the catch-all too; `fit` refuses it.
        if name in (*self._net_switches, "net_params") or (prefix in self._net_prefixes and delimiter and suffix):
            return
        prefixes = ", ".join(f"{prefix}__" for prefix in self._net_prefixes)
        raise error(
            f"{type(self).__name__} has no parameter {name!r}; the nearest is {self._nearest_param(name)!r}. "
            f"Parameters of the parts of the net carry one of the prefixes {prefixes}."
        )

    def _nearest_param(self, name):
        """The parameter most like a misspelt one, also where only its prefix was left out (hidden, momentum)."""
        known = self._known_net_params()
        spellings = {param.partition("__")[2]: param for param in reversed(known)} | {param: param for param in known}
        spellings |= _OF_SCIKIT_LEARN | {param: param for param in (*self._get_param_names(), *self._net_switches)}
        return spellings[difflib.get_close_matches(name, spellings, n=1, cutoff=0)[0]]

    def _known_net_params(self):
        """Names with a prefix that mean something, as far as they are known before fitting."""
        return ["iterator_train__drop_last", "iterator_train__num_workers", "iterator_valid__num_workers"]

    def get_params(self, deep=True):
        """Get the parameters, those in `net_params` included.

        Parameters
        ----------
        deep : bool, default=True
            For scikit-learn's interface; no parameter is an estimator with parameters of its own.

        Returns
        -------
        params : dict
            Parameter names and values.
        """
        own = {name: getattr(self, name) for name in self._get_param_names()}
        return {**own, **self._net_params}

    def set_params(self, **params):
        """Set parameters, those in `net_params` included.

        Parameters
        ----------
        **params : dict
            Parameter names and values.

        Returns
        -------
        self : estimator
        """
        own = self._get_param_names()
        for name in params:
            if name not in own:
                self._check_net_param(name, ValueError)
        for name, value in params.items():
            if name in own:
                setattr(self, name, value)
            else:
                self._net_params = {**self._net_params, name: value}
        return self

    def _validate_params(self):
        super()._validate_params()
        if "net_params" in self._net_params:
            raise ValueError("net_params is not a parameter itself: pass its items, as in module__hidden=(64,).")

    def _params_for(self, prefix):
        """Parameters with this prefix, the prefix taken off."""
        start = f"{prefix}__"
        return {k.removeprefix(start): v for k, v in self._net_params.items() if k.startswith(start)}

    def _switch(self, name):
        return self._net_params.get(name, False)
