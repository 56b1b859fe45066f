"""What recordings leave behind on a GPU is bounded."""

from itertools import pairwise

import torch

from sklabelnoise.training._recorder import _KEPT, Recording


class Graph:
    n_reset = 0

    def reset(self):
        Graph.n_reset += 1


def test_memory_of_recordings_that_are_gone_is_given_back_after_some_of_them(monkeypatch):
    given_back = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given_back.append(Graph.n_reset))
    for _ in range(4 * _KEPT):
        Recording(Graph()).close()
    assert len(given_back) == 4
    assert {later - earlier for earlier, later in pairwise(given_back)} == {_KEPT}
