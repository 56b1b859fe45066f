"""Private names of other libraries stand in one room, and that room works on every supported version."""

import ast
import re
import tracemalloc
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.ensemble._hist_gradient_boosting import gradient_boosting

from sklabelnoise import _compat

PACKAGE = Path(_compat.__file__).parent
LIBRARIES = ("sklearn", "torch", "skorch", "numpy", "pandas", "scipy", "joblib")
# Names by which these libraries go in our files.
ALIASES = {"np": "numpy", "pd": "pandas"}


def is_private(part):
    return part.startswith("_") and not part.endswith("__")


def private_names(source):
    """Private names of other libraries that a file imports, or reaches as attributes of what it imports."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.Attribute) and re.fullmatch(r"[\w.]+", ast.unparse(node)):
            names = [ast.unparse(node)]
        else:
            continue
        for name in names:
            first, *rest = name.split(".")
            if ALIASES.get(first, first) in LIBRARIES and any(map(is_private, rest)):
                yield name


@pytest.mark.parametrize(
    "line",
    [
        "from sklearn.utils import _safe_indexing",
        "from sklearn.utils import check_array, _safe_indexing as rows",
        "from sklearn.utils._param_validation import Interval",
        "import sklearn.utils._tags",
        "def late():\n    from sklearn.model_selection._search import BaseSearchCV",
        "import torch\ntorch._C._are_functorch_transforms_active()",
        "import numpy as np\nnp._core.multiarray",
        "from skorch.utils import _infer_predict_nonlinearity",
    ],
)
def test_a_planted_private_name_is_found(line):
    assert list(private_names(line))


@pytest.mark.parametrize(
    "line",
    [
        "from sklearn.utils import check_array",
        "from __future__ import annotations",
        "import numpy\nnumpy.__version__",
        "from sklabelnoise._compat import Interval",
    ],
)
def test_public_names_are_not_taken_for_private(line):
    assert not list(private_names(line))


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_private_names_are_imported_in_one_room_only(path):
    if path.name != "_compat.py":
        assert not list(private_names(path.read_text()))


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_who_hears_of_a_module_is_asked_in_one_room_only(path):
    """torch keeps hooks in private attributes of each module, and those of every module elsewhere."""
    if path.name != "_compat.py":
        assert not re.findall(r"\b_(?:global_)?(?:forward|backward)(?:_pre)?_hooks\b", path.read_text())


def test_every_private_name_has_a_line_on_why():
    lines = (PACKAGE / "_compat.py").read_text().splitlines()
    imports = [i for i, line in enumerate(lines) if line.startswith("from ") and list(private_names(line))]
    assert imports
    for i in imports:
        above = lines[i - 1]
        same_room = above.startswith("from ") and above.split(" import ")[0] == lines[i].split(" import ")[0]
        assert above.startswith("# ") or same_room, lines[i]


def test_what_the_room_offers_is_used_and_exists():
    files = [path.read_text() for path in PACKAGE.rglob("*.py") if path.name != "_compat.py"]
    for name in _compat.__all__:
        assert hasattr(_compat, name)
        assert any(re.search(rf"\b{name}\b", text) for text in files), f"nothing uses _compat.{name}"


def test_an_estimator_without_callbacks_has_a_context_that_does_nothing():
    context = _compat.callback_context(BaseEstimator(), max_subtasks=2)
    task = context.subcontext(task_name="epoch")
    assert not task.call_on_fit_task_begin(estimator=None).call_on_fit_task_end(estimator=None)
    with context.propagate_callback_context(None):
        assert not _compat.has_callbacks(BaseEstimator())


def test_functorch_transforms_are_seen():
    import torch

    assert not _compat.under_functorch_transforms()
    seen = []
    torch.vmap(lambda x: (seen.append(_compat.under_functorch_transforms()), x)[1])(torch.zeros(2))
    assert seen == [True]


def hears(module, *args):
    """A hook of any kind."""


class TestEnded:
    """A block of a mode has ended behind it, also where Ctrl-C comes before torch closes it."""

    @staticmethod
    def kinds():
        from sklabelnoise._stacked._augmentation import _Refused
        from sklabelnoise._stacked._rows_last import RowsLast
        from sklabelnoise._stacked._shared_rows import SharedRows
        from sklabelnoise._stacked._traced_chain import _Calls
        from sklabelnoise.modules._draws import Draws, _Watching

        return [RowsLast(), SharedRows([]), _Calls(), _Refused(), _Watching(Draws(0))]

    @pytest.mark.parametrize("number", range(5))
    def test_where_an_interrupt_comes_before_its_end(self, number, monkeypatch):
        mode = self.kinds()[number]
        leave, times = type(mode).__exit__, []

        def interrupted_once(self, *of_error):
            times.append(1)
            if len(times) == 1:
                raise KeyboardInterrupt
            return leave(self, *of_error)

        monkeypatch.setattr(type(mode), "__exit__", interrupted_once)
        with pytest.raises(KeyboardInterrupt), _compat.ended(mode):
            assert _compat.under_modes()
        assert not _compat.under_modes()

    def test_those_around_it_stay(self):
        (*_, inner, outer) = self.kinds()
        with outer:
            with _compat.ended(inner):
                pass
            assert _compat.under_modes()
        assert not _compat.under_modes()

    @pytest.mark.parametrize("name", ["RowsLast", "SharedRows"])
    def test_of_a_search(self, name, monkeypatch):
        import torch

        from sklabelnoise import DMClassifier
        from sklabelnoise._stacked._rows_last import RowsLast
        from sklabelnoise._stacked._shared_rows import SharedRows
        from sklabelnoise.model_selection import FusedGridSearchCV

        class Residual(torch.nn.Module):
            def __init__(self, n_features, n_classes):
                super().__init__()
                self.first, self.out = torch.nn.Linear(n_features, 3), torch.nn.Linear(3, n_classes)

            def forward(self, X):
                return self.out(X + self.first(X).sin())

        def interrupted(self, *of_error):
            monkeypatch.undo()
            raise KeyboardInterrupt

        X = np.random.default_rng(0).normal(size=(40, 3))
        search = FusedGridSearchCV(DMClassifier(Residual, max_epochs=1, random_state=0), {"lam": [0, 1]}, cv=2)
        monkeypatch.setattr({"RowsLast": RowsLast, "SharedRows": SharedRows}[name], "__exit__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search.fit(X, np.arange(40) % 2)
        assert not _compat.under_modes()


class TestWhoHears:
    """Every way to hear of a module, a parameter or a step that torch has is seen, and only while it lasts."""

    WAYS = ("forward_hook", "forward_pre_hook", "full_backward_hook", "full_backward_pre_hook")

    @pytest.mark.parametrize("everywhere", [False, True])
    @pytest.mark.parametrize("way", WAYS)
    def test_of_a_module(self, way, everywhere):
        import torch

        module = torch.nn.Linear(2, 2)
        assert not _compat.has_hooks(module)
        register = getattr(torch.nn.modules.module if everywhere else module, f"register_{'module_' * everywhere}{way}")
        handle = register(hears)
        try:
            assert _compat.has_hooks(module)
        finally:
            handle.remove()
        assert not _compat.has_hooks(module)

    @pytest.mark.parametrize("way", ["register_hook", "register_post_accumulate_grad_hook"])
    def test_of_a_gradient(self, way):
        import torch

        parameter = torch.nn.Parameter(torch.ones(2))
        assert not _compat.has_tensor_hooks(parameter)
        handle = getattr(parameter, way)(hears)
        assert _compat.has_tensor_hooks(parameter)
        handle.remove()
        assert not _compat.has_tensor_hooks(parameter)

    @pytest.mark.parametrize("way", ["register_step_pre_hook", "register_step_post_hook"])
    def test_of_a_step(self, way):
        import torch

        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        assert not _compat.has_step_hooks(optimizer) and _compat.unrecorded_step(optimizer) is not None
        handle = getattr(optimizer, way)(hears)
        assert _compat.has_step_hooks(optimizer) and _compat.unrecorded_step(optimizer) is None
        handle.remove()
        assert not _compat.has_step_hooks(optimizer)

    def test_of_an_operation_or_what_is_saved(self):
        import torch
        from torch.utils._python_dispatch import TorchDispatchMode

        class Hears(TorchDispatchMode):
            def __torch_dispatch__(self, function, types, args=(), kwargs=None):
                return function(*args, **(kwargs or {}))

        assert not _compat.under_modes()
        for block in (Hears(), torch.overrides.TorchFunctionMode()):
            with block:
                assert _compat.under_modes()
        with torch.autograd.graph.saved_tensors_hooks(lambda x: x, lambda x: x):
            assert _compat.under_modes() == hasattr(torch._C._autograd, "_top_saved_tensors_default_hooks")
        assert not _compat.under_modes()


class TestGoBackWith:
    """The backward pass of torch, with what it is to do beside the derivatives."""

    @pytest.fixture
    def network(self):
        import torch

        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))

    @staticmethod
    def passes(network, go_back, wrapped=lambda logits: logits):
        """Gradients after two batches, and what a hook has heard of."""
        import torch

        heard, generator = [], torch.Generator().manual_seed(0)
        for parameter in network.parameters():
            parameter.grad = None
        for _ in range(2):
            logits = wrapped(network(torch.randn(5, 3, generator=generator)))
            logits.register_hook(lambda derivative: heard.append(derivative.clone()))
            go_back(logits, torch.randn(5, 2, generator=generator))
        return [*(parameter.grad for parameter in network.parameters()), *heard]

    def test_the_derivatives_are_those_of_torch_and_add_up(self, network):
        import torch

        ours, theirs = (self.passes(network, way) for way in (_compat.go_back_with, torch.Tensor.backward))
        assert len(ours) == len(theirs) == 6
        assert all(torch.equal(mine, other) for mine, other in zip(ours, theirs, strict=True))

    def test_logits_of_a_kind_of_their_own_go_back_in_their_way(self, network):
        import torch

        class Own(torch.Tensor):
            def backward(self, derivative):
                Own.asked = True
                super().backward(derivative)

        ours = self.passes(network, _compat.go_back_with, lambda logits: logits.as_subclass(Own))
        theirs = self.passes(network, torch.Tensor.backward)
        assert Own.asked
        assert all(torch.equal(mine, other) for mine, other in zip(ours, theirs, strict=True))

    def test_a_derivative_of_another_shape_is_refused(self, network):
        import torch

        with pytest.raises(RuntimeError, match="shape"):
            _compat.go_back_with(network(torch.ones(5, 3)), torch.ones(4, 2))


class TestBinnedByColumns:
    """The bins of boosting on histograms, of a sample of 2,500 rows in place of 200,000."""

    ROWS, COLUMNS = 3000, 64

    @pytest.fixture(autouse=True)
    def small_sample(self, monkeypatch):
        mapper = gradient_boosting._BinMapper
        monkeypatch.setattr(gradient_boosting, "_BinMapper", partial(mapper, subsample=2500))
        monkeypatch.setattr(_compat, "_BINNED_BYTES", 0)

    @pytest.fixture
    def data(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(self.ROWS, self.COLUMNS))
        X[rng.random(X.shape) < 0.01] = np.nan
        X[:, 20] = rng.integers(0, 6, self.ROWS)
        return X, (np.nan_to_num(X[:, 0]) + X[:, 20] > 2).astype(int), rng.random(self.ROWS)

    def fit(self, block, data, kind=HistGradientBoostingClassifier, **params):
        X, y, weights = data
        model = kind(max_iter=2, max_leaf_nodes=3, max_bins=8, random_state=0, **{"early_stopping": False, **params})
        with block(model):
            return model.fit(X, y, sample_weight=weights)

    @pytest.mark.parametrize("params", [{}, {"categorical_features": [20]}, {"early_stopping": True}])
    def test_the_model_is_the_same(self, data, params):
        ours = self.fit(_compat.binned_by_columns, data, **params)
        theirs = self.fit(lambda model: nullcontext(), data, **params)
        assert vars(ours).keys() == vars(theirs).keys()
        a, b = ours._bin_mapper, theirs._bin_mapper
        assert vars(a).keys() == vars(b).keys()
        for mine, thresholds in zip(a.bin_thresholds_, b.bin_thresholds_, strict=True):
            np.testing.assert_array_equal(mine, thresholds)
        for name in ("n_bins_non_missing_", "is_categorical_", "missing_values_bin_idx_"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        np.testing.assert_array_equal(ours.predict_proba(data[0]), theirs.predict_proba(data[0]))

    def test_no_sample_of_all_columns_is_held(self, data):
        def peak(block):
            tracemalloc.start()
            try:
                self.fit(block, data)
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

        peak(nullcontext)
        # Of the whole sample, without the part that the trees need later anyway.
        assert peak(nullcontext) - peak(_compat.binned_by_columns) > 0.5 * 8 * 2500 * self.COLUMNS

    def test_a_way_of_binning_of_ones_own_is_left_alone(self, data):
        class Own(HistGradientBoostingClassifier):
            def _bin_data(self, *args, **kwargs):
                self.asked_ = True
                return super()._bin_data(*args, **kwargs)

        assert self.fit(_compat.binned_by_columns, data, Own).asked_

    @pytest.mark.parametrize("estimator", [HistGradientBoostingClassifier(), BaseEstimator()])
    def test_nothing_stays_behind_where_the_block_fails(self, estimator):
        before = dict(vars(estimator))
        with pytest.raises(ZeroDivisionError), _compat.binned_by_columns(estimator):
            1 / 0  # noqa: B018
        assert vars(estimator) == before
