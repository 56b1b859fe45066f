"""Many fits of our classifiers, trained together where that is possible."""
