"""The version of this package; every room may ask for it without importing the package that stands above them all."""

__version__ = "0.1.0"
