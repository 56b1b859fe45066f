"""What a report says in sentences, for the page and for notebooks."""

from sklabelnoise._label_report._reliability import NONE, ROUGH


def statement(report):
    """The number of doubted labels, the noise rate, and how the two belong together."""
    n, n_doubted = len(report.y), len(report.issues)
    share = f"{n_doubted:,} of {n:,} labels ({n_doubted / n:.1%})"
    verb = "is" if n_doubted == 1 else "are"
    doubted = f"{share} {verb} in doubt: the model finds another class likelier."
    if not n_doubted:
        doubted = f"None of {n:,} labels is in doubt: the model finds no other class clearly likelier."
    if report.reliability == NONE:
        return f"{doubted} How many labels are wrong cannot be told. {report.reliability_reason}"
    if report.noise_rate_interval is None:
        return f"{doubted} About {report.noise_rate:.1%} of all labels are estimated to be wrong."
    low, high = report.noise_rate_interval
    rate = (
        f"Of all labels {report.noise_rate:.1%} are estimated to be wrong ({low:.1%} to {high:.1%}), "
        f"which is {round(low * n):,} to {round(high * n):,} rows."
    )
    if n_doubted > high * n:
        rate += " So some of the doubted labels are probably right: the model doubts hard rows as well."
    elif n_doubted < low * n:
        rate += " So some wrong labels are not in the list: the model finds them plausible."
    if report.reliability == ROUGH:
        rate += f" This is a rough estimate. {report.reliability_reason}"
    return f"{doubted} {rate}"


def rate_as_figure(report):
    """The noise rate in few characters, and its interval; no number where it would mean nothing."""
    if report.reliability == NONE:
        return "unknown", "the model is too often wrong"
    interval = ""
    if report.noise_rate_interval is not None:
        low, high = report.noise_rate_interval
        interval = f"{low:.1%} to {high:.1%}" + (", rough" if report.reliability == ROUGH else "")
    return f"{report.noise_rate:.1%}", interval


def rate_in_words(report):
    """The noise rate in one line."""
    if report.reliability == NONE:
        return "noise rate unknown: the model is too often wrong to tell"
    words = f"noise rate {report.noise_rate:.1%}"
    if report.noise_rate_interval is not None:
        low, high = report.noise_rate_interval
        words += f" ({low:.1%} to {high:.1%})"
    return words + (", a rough estimate" if report.reliability == ROUGH else "")
