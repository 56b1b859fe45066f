"""What rivals may choose from, and how.

`DMClassifierCV` and `NoisyLabelClassifier` choose by left-out predictions on the given labels, so every family of
rivals has the same right: its main parameters are chosen from a grid of this file by out-of-fold accuracy on the given
labels (of forests: out-of-bag accuracy), never by a clean label. What is not in a grid has the library's default.

The grids were committed before the first row of a tuned rival. They are part of a method's definition, whose hash
stands in every row: rows of another grid are not mixed in.
"""

N_FOLDS = 5

LEAVES = (1, 5, 15, 40)  # min_samples_leaf of forests
N_TREES = 150  # of each forest that is tried
ROUNDS = (10, 20, 40, 80, 160)  # of boosted trees

# A setting of boosted trees for wrong labels: small trees, 40 rows a leaf, half of the rows and columns, strong L2.
# Where a library has no such knob: HistGradientBoosting draws columns for each split and no rows; XGBoost counts the
# curvature of a leaf, which is a quarter a row at most, instead of its rows.
ROBUST_BOOSTING = {
    "HistGradientBoosting": {
        "learning_rate": 0.05, "max_leaf_nodes": 8, "min_samples_leaf": 40, "max_features": 0.5,
        "l2_regularization": 10.0,
    },
    "LightGBM": {
        "learning_rate": 0.05, "num_leaves": 8, "min_child_samples": 40, "subsample": 0.5, "subsample_freq": 1,
        "colsample_bytree": 0.5, "reg_lambda": 10.0,
    },
    "XGBoost": {
        "learning_rate": 0.05, "max_leaves": 8, "grow_policy": "lossguide", "max_depth": 0, "min_child_weight": 10.0,
        "subsample": 0.5, "colsample_bytree": 0.5, "reg_lambda": 10.0,
    },
    "CatBoost": {
        "learning_rate": 0.05, "grow_policy": "Lossguide", "max_leaves": 8, "min_data_in_leaf": 40,
        "bootstrap_type": "Bernoulli", "subsample": 0.5, "rsm": 0.5, "l2_leaf_reg": 10.0,
    },
}  # fmt: skip

# Networks: names of the last step of a pipeline.
CROSS_ENTROPY = {"max_epochs": (10, 20, 40), "weight_decay": (1e-3, 1.0, 10.0)}
GCE = {"loss__q": (0.3, 0.5, 0.7, 0.9)}
SCE = {"loss__alpha": (0.01, 0.1, 1.0)}
ELR = {"loss__lam": (1.0, 3.0, 7.0)}

LOGISTIC_REGRESSION = {"C": (0.001, 0.01, 0.1, 1.0, 10.0)}
NEIGHBORS = {"n_neighbors": (5, 10, 20, 40, 80, 160)}
# Squared distances of standardized rows are multiplied by `width` and divided by the number of columns.
KERNEL_RIDGE = {"width": (0.2, 0.75), "alpha": (0.3, 3.0, 30.0)}
