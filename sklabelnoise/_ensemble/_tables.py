"""What came of a fit, as tables for the user: one row a member, one row a setting."""

import numpy as np
import pandas as pd


def table_of_members(families, fitted, statuses, weights, sees):
    """One row a family, used or not.

    Parameters
    ----------
    families : list of Family
        All that were asked for.
    fitted : dict of str to FittedFamily
        Those that are used.
    statuses : dict of str to str
        Why the others are not.
    weights : dict of str to float
        What those that are used count in the combination.
    sees : callable
        From a family's view to words for what it sees.

    Returns
    -------
    members : DataFrame
        As `NoisyLabelClassifier.members_`.
    """
    table = []
    for family in families:
        row = {"family": family.name, "sees": sees(family.view), "parameters": None}
        row |= {"score": np.nan, "weight": 0.0, "seconds": np.nan}
        if family.name in fitted:
            own = fitted[family.name]
            row |= {
                "parameters": own.parameters,
                "score": own.candidates[own.chosen].accuracy,
                "weight": weights[family.name],
                "seconds": own.seconds,
            }
        table.append({**row, "status": statuses.get(family.name, "used")})
    return pd.DataFrame(table)


def table_of_candidates(fitted):
    """One row a setting that a fitted family has tried, as `NoisyLabelClassifier.candidates_`."""
    return pd.DataFrame(
        [
            {
                "family": family.name,
                "parameters": candidate.parameters,
                "brier": candidate.brier,
                "score": candidate.accuracy,
                "chosen": number == family.chosen,
            }
            for family in fitted
            for number, candidate in enumerate(family.candidates)
        ]
    )
