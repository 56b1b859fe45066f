"""Names spelled another way now still work for one release."""

import re
from pathlib import Path

import pytest
from packaging.version import Version

import sklabelnoise
from sklabelnoise import metrics, noise


@pytest.mark.parametrize(
    "module, old, new",
    [
        (metrics, "memorisation_rate", "memorization_rate"),
        (noise, "realised_noise_rate", "realized_noise_rate"),
        (noise, "realised_transition_matrix", "realized_transition_matrix"),
    ],
)
def test_an_old_name_is_the_new_one_with_a_warning(module, old, new):
    with pytest.warns(FutureWarning, match=rf"sklabelnoise\.\w+\.{old} is called {new} now; the old name goes in"):
        assert getattr(module, old) is getattr(module, new)
    assert old not in module.__all__


@pytest.mark.parametrize("module", [metrics, noise])
def test_other_names_are_attribute_errors(module):
    with pytest.raises(AttributeError, match=rf"module '{module.__name__}' has no attribute 'rate'"):
        _ = module.rate


def test_every_old_name_has_a_release_left_to_go_in():
    """A FutureWarning names a version that is not there yet; when it is, the old name is gone."""
    package = Path(sklabelnoise.__file__).parent
    announced = [
        match for path in package.rglob("*.py") for match in re.findall(r"goes in version ([\d.]+\d)", path.read_text())
    ]
    assert announced
    assert all(Version(version) > Version(sklabelnoise.__version__) for version in announced)
