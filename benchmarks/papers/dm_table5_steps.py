"""Why cross entropy loses more or less of DM Table 5's 40 % row: the length of the features, and the step.

    python -m benchmarks.papers.dm_table5_steps
    python -m benchmarks.papers.dm_table5_steps --report

The paper states neither the scale of its features nor whether the derivative of a batch is a mean or a sum. `dm_table5`
runs three scales with both steps; here the step goes from one to the other. At 40 % noise, with its network, solver and
iterations, plain cross entropy and DM with the published lam = 0, beta = -0.33 are trained with the step of a mean
times 1, 4, 16, 64 and 250, the last being the step of a sum. Two shares are measured: the test accuracy, and how many
of the *wrong* training labels the trained network gives back, which is what fitting the noise means.
"""

import numpy as np
import pandas as pd

from benchmarks.cells import markdown, mean_sd
from benchmarks.papers._runner import (
    CACHE,
    command_line,
    frame_of_scale,
    product_of,
    rows_path,
    run_jobs,
    use_shared_data,
)
from benchmarks.papers.dm_table5 import (
    BATCH_SIZE,
    DM_SETTINGS,
    FEATURES,
    PAPER,
    SCALES,
    LossOrDMEmphasis,
    digest_of,
    scale_features,
    train,
    training_rows,
    vectors,
)

NAME = "dm_table5_steps"
CONDITION = "r=0.4"
FACTORS = (1, 4, 16, 64, BATCH_SIZE)
# Method: normalization of its weights, its emphasis, and what the loss's own derivative is times that.
METHODS = {
    "CCE": ("none", LossOrDMEmphasis(1.0, 2.0), 2),
    "DM": ("batch", LossOrDMEmphasis(lam=float(DM_SETTINGS[CONDITION][0]), beta=DM_SETTINGS[CONDITION][1]), 1),
}


def execute(scale, features, seed, *, cache=CACHE):
    """Train both methods with all steps; what they score and what they repeat."""
    X_train, y_train, X_test, y_test = vectors(scale, seed, cache=cache)
    digest = digest_of(X_train, X_test)
    X_train, X_test = scale_features(X_train, X_test, features)
    _, given = training_rows(y_train, CONDITION, seed)
    n_rows, wrong = len(given), np.flatnonzero(given != y_train)
    X, y = np.concatenate([X_train, X_test]), np.concatenate([given, y_test])
    splits = [(np.arange(n_rows), np.arange(n_rows, len(y))), (np.arange(n_rows), wrong)]
    measured = []
    for method, (normalization, emphasis, c) in METHODS.items():
        settings = [
            {"emphasis": emphasis, "lr": 0.01 * c * factor, "weight_decay": 0.002 / (c * factor)} for factor in FACTORS
        ]
        scores = train(scale, normalization, settings, X, y, splits, n_rows=n_rows, seed=seed)
        measured += [
            {"method": method, "factor": factor, "accuracy": accuracy, "repeated": repeated}
            for factor, (accuracy, repeated) in zip(FACTORS, scores, strict=True)
        ]
    return {
        "vectors": digest,
        "n_wrong": len(wrong),
        "row_length": round(float(np.linalg.norm(X_train, axis=1).mean()), 3),
        "measured": measured,
    }


def tables(path=None, scale="paper"):
    """Test accuracy and share of wrong labels given back, by features and step."""
    frame = frame_of_scale(path or rows_path(NAME), scale, "measured")
    if frame.empty:
        return f"No rows of scale {scale} yet.\n"
    names = {factor: f"step × {factor}" for factor in FACTORS}
    parts = []
    for method in METHODS:
        for column, caption in (("accuracy", "test accuracy"), ("repeated", "share of the wrong labels given back")):
            lines = {}
            for features in FEATURES:
                part = frame[(frame["features"] == features) & (frame["method"] == method)]
                if part.empty:
                    continue
                lines[f"{features}, rows of length {part['row_length'].mean():.1f}"] = {
                    name: mean_sd(part.loc[part["factor"] == factor, column], 100) for factor, name in names.items()
                }
            table = markdown(pd.DataFrame.from_dict(lines, orient="index").rename_axis("features"))
            paper = f", the paper's {PAPER[method, CONDITION]}" if column == "accuracy" else ""
            parts.append(
                f"{method} at 40 % noise, {caption} in percent{paper}; {frame['seed'].nunique()} seeds:\n\n{table}"
            )
    return "\n".join(parts)


def main():
    parser = command_line(__doc__, scales=SCALES, default_scale="paper", seeds=range(2))
    parser.add_argument("--features", nargs="+", choices=FEATURES, default=FEATURES)
    options = parser.parse_args()
    use_shared_data()
    if not options.report:
        jobs = product_of(scale=[options.scale], seed=options.seeds, features=options.features)
        run_jobs(rows_path(NAME), jobs, execute)
    print(tables(scale=options.scale))


if __name__ == "__main__":
    main()
