"""What classifiers share is declared once: every signature, constraint and docstring follows it."""

import inspect
import re

import pytest
from sklearn.base import clone

from sklabelnoise import DMClassifier, DMClassifierCV, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise._classifiers._parameters import COMMON, SWITCHES, document_common

# What a class has no use for: members of DMClassifierCV are fitted anew.
WITHOUT = {
    DMClassifier: (),
    DMClassifierCV: ("warm_start", "on_interrupt"),
    ProSelfLCClassifier: (),
    RobustLossClassifier: (),
}
CLASSES = pytest.mark.parametrize("cls", WITHOUT)


def disagreements(cls, without=()):
    """Where a signature departs from the shared parameters: which are missing, their order, and their defaults."""
    signature = inspect.signature(cls).parameters
    wanted = [name for name in COMMON if name not in without]
    found = [name for name in signature if name in COMMON]
    if found != wanted:
        yield f"shared parameters are {wanted}, got {found}"
    if next(iter(signature)) != "module" or list(signature)[-1] != "net_params":
        yield "module must be the first and net_params the last"
    for name in found:
        stated = re.match(r".*default=(.+)", COMMON[name].wording)[1].strip('"')
        if str(signature[name].default) != stated:
            yield f"default of {name} must be {stated}, got {signature[name].default}"


@CLASSES
def test_signatures_have_the_shared_parameters_in_order_with_their_defaults(cls):
    assert list(disagreements(cls, WITHOUT[cls])) == []


def test_a_signature_that_departs_is_found():
    class Planted:
        def __init__(self, module=None, *, weight_decay=None, lr=0.1, **net_params):
            pass

    order, default = disagreements(Planted, without=COMMON.keys() - {"module", "lr", "weight_decay"})
    assert "['module', 'lr', 'weight_decay'], got ['module', 'weight_decay', 'lr']" in order
    assert default == "default of lr must be None, got 0.1"


@CLASSES
def test_constraints_are_the_shared_ones(cls):
    shared = {name: common.constraint for name, common in COMMON.items() if name not in WITHOUT[cls]} | SWITCHES
    constraints = cls._parameter_constraints
    assert {name: constraints[name] for name in shared} == shared
    own = set(inspect.signature(cls).parameters) - COMMON.keys() - {"net_params"}
    assert constraints.keys() == own | shared.keys()


@CLASSES
def test_docstrings_have_the_shared_wording_once(cls):
    documentation = inspect.cleandoc(cls.__doc__)  # Python 3.13 does so by itself
    assert "%(" not in documentation
    for name, common in COMMON.items():
        wording = common.wording.replace("\n    ", "\n")
        assert documentation.count(f"\n{name} : {wording}\n") == (name not in WITHOUT[cls])


def test_a_class_without_docstring_stays_without():
    class Bare:
        pass

    assert document_common(Bare).__doc__ is None  # as under python -OO


@CLASSES
def test_a_constructor_stores_what_it_was_given(cls):
    given = {name: object() for name in inspect.signature(cls).parameters if name != "net_params"}
    model = cls(**given, module__hidden=(3,), amp=True)
    assert model.get_params() == {**given, "module__hidden": (3,), "amp": True}
    assert vars(model).keys() == given.keys() | {"_net_params"}


class WithOneMore(DMClassifier):
    def __init__(self, module=None, *, lam=2.0, extra=1, max_epochs=None, random_state=None, **net_params):
        super().__init__(module, lam=lam, max_epochs=max_epochs, random_state=random_state, **net_params)
        self.extra = extra


def test_a_subclass_adds_parameters_and_keeps_the_rest():
    model = WithOneMore(extra=5, lam=1, module__hidden=(7,))
    assert (model.extra, model.lam, model.beta, model.lr) == (5, 1, 8.0, None)
    copied = clone(model.set_params(extra=6))
    assert (copied.extra, copied.get_params()["module__hidden"]) == (6, (7,))
    assert "beta" not in copied.get_params()


def test_a_subclass_with_parameters_of_its_own_is_trained_saved_and_loaded(tmp_path):
    X, y = [[0.0], [1.0]] * 4, [0, 1] * 4
    model = WithOneMore(extra=3, max_epochs=1, random_state=0).fit(X, y)
    model.save(tmp_path / "model")
    loaded = WithOneMore.load(tmp_path / "model")
    assert loaded.extra == 3
    assert loaded.predict(X).tolist() == model.predict(X).tolist()
