"""Label noise as a transition matrix: make it, apply it, and say how much of it there is.

Everywhere ``T[i, j] = P(given = j | true = i)``, so the rows of a transition matrix sum to one. Rows and columns are in
the order of the sorted labels.

>>> from sklabelnoise.noise import corrupt_labels, realized_noise_rate, symmetric_transition_matrix
>>> y_clean = ["cat", "dog"] * 50
>>> T = symmetric_transition_matrix(2, 0.3)
>>> y = corrupt_labels(y_clean, T, exact_counts=True, random_state=0)
>>> float(realized_noise_rate(y_clean, y))
0.3
"""

from sklabelnoise._foundation._renamed import old_names
from sklabelnoise.noise._corruption import corrupt_labels, corrupt_labels_by_instance, subsample_classes
from sklabelnoise.noise._rates import expected_noise_rate, realized_noise_rate, realized_transition_matrix
from sklabelnoise.noise._transition_matrices import (
    CIFAR10_FLIPS,
    CIFAR100_SUPERCLASSES,
    MNIST_FLIPS,
    asymmetric_transition_matrix,
    block_flip_transition_matrix,
    check_transition_matrix,
    pair_flip_transition_matrix,
    superclass_transition_matrix,
    symmetric_transition_matrix,
)

__all__ = [
    "symmetric_transition_matrix",
    "pair_flip_transition_matrix",
    "asymmetric_transition_matrix",
    "block_flip_transition_matrix",
    "superclass_transition_matrix",
    "check_transition_matrix",
    "CIFAR10_FLIPS",
    "CIFAR100_SUPERCLASSES",
    "MNIST_FLIPS",
    "corrupt_labels",
    "corrupt_labels_by_instance",
    "subsample_classes",
    "expected_noise_rate",
    "realized_noise_rate",
    "realized_transition_matrix",
]

__getattr__ = old_names(
    __name__,
    {"realised_noise_rate": realized_noise_rate, "realised_transition_matrix": realized_transition_matrix},
)
