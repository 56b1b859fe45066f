"""The classifiers: scikit-learn's conventions around one or several skorch nets."""
