"""A seed drawn from a `random_state` is the first number of its generator."""

import numpy as np
import pytest

from sklabelnoise._foundation._seeds import MAX_SEED, draw_seed


@pytest.mark.parametrize("seed", [0, 7, np.int32(7), 2**32 - 1])
def test_an_integer_always_gives_the_first_number_of_its_generator(seed):
    drawn = [draw_seed(seed) for _ in range(3)]
    assert drawn == [np.random.RandomState(seed).randint(MAX_SEED)] * 3
    assert type(drawn[0]) is int


def test_a_generator_moves_on():
    rng = np.random.RandomState(0)
    assert [draw_seed(rng), draw_seed(rng)] == np.random.RandomState(0).randint(MAX_SEED, size=2).tolist()


@pytest.mark.parametrize("seed", [-1, 2**32, "0", 0.5])
def test_what_is_no_seed_is_refused_each_time(seed):
    for _ in range(2):
        with pytest.raises(ValueError):
            draw_seed(seed)
