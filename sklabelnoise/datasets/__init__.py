"""Data sets with wrong labels: the given and the clean labels side by side.

``load_*`` functions read what is there already. ``fetch_*`` functions download what is missing from its official
source, check it, and keep it; files in the folder named by the environment variable ``SKLABELNOISE_DATA`` come first.
"""

from sklabelnoise.datasets._cifar import fetch_cifar10, fetch_cifar100
from sklabelnoise.datasets._cifar_n import fetch_cifar_n
from sklabelnoise.datasets._digits import load_digits_noisy
from sklabelnoise.datasets._imdb import fetch_imdb
from sklabelnoise.datasets._tables import load_table

__all__ = ["fetch_cifar10", "fetch_cifar100", "fetch_cifar_n", "fetch_imdb", "load_digits_noisy", "load_table"]
