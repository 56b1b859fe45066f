"""Rows of what was timed: ours and a reference in turn, or one measurement alone."""

import time

import numpy as np

from benchmarks.rows import environment


def interleaved(ours, reference, repeats, calls=1):
    """Processor seconds of each repeat of `calls` calls, after a warm-up; who goes first changes with every repeat."""
    seconds = {ours: [], reference: []}
    for function in seconds:
        function()
    for repeat in range(repeats):
        for function in (ours, reference) if repeat % 2 else (reference, ours):
            start = time.process_time()
            for _ in range(calls):
                function()
            seconds[function].append((time.process_time() - start) / calls)
    return np.array(seconds[ours]), np.array(seconds[reference])


def compare(case, promise, ours, reference, repeats, *, calls=1, scale=1.0, **more):
    """One row: the median over repeats of ours / (scale x reference), its quartiles, and what was promised."""
    mine, theirs = interleaved(ours, reference, repeats, calls)
    return ratio_row(case, promise, mine, scale * theirs, **more)


def ratio_row(case, promise, mine, theirs, **more):
    """One row from the seconds of interleaved repeats."""
    return {
        **_quartiles(case, promise, mine / theirs),
        "ours_ms": round(1e3 * float(np.median(mine)), 4),
        "reference_ms": round(1e3 * float(np.median(theirs)), 4),
        **more,
    }


def single(case, promise, *values, **more):
    """One row of what is measured by itself, once or several times."""
    return {**_quartiles(case, promise, values), **more}


def _quartiles(case, promise, values):
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
    return {
        "case": case,
        "ratio": round(float(median), 4),
        "ratio_low": round(float(low), 4),
        "ratio_high": round(float(high), 4),
        "promise": promise,
        "repeats": len(values),
        **environment(),
    }
