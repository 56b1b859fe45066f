"""Names spelled another way now still work for one release."""

import pytest

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
