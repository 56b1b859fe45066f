"""What a report says in sentences follows from its numbers."""

from types import SimpleNamespace

import pytest

from sklabelnoise._label_report._statement import rate_as_figure, rate_in_words, statement


def report(n_doubted, *, interval=(0.0996, 0.1504), reliability="good"):
    return SimpleNamespace(
        y=range(1000),
        issues=range(n_doubted),
        noise_rate=0.12,
        noise_rate_interval=interval,
        reliability=reliability,
        reliability_reason="The model errs.",
    )


@pytest.mark.parametrize(
    ("n_doubted", "begin", "end"),
    [
        (0, "None of 1,000 labels is in doubt", "the model finds them plausible."),
        (1, "1 of 1,000 labels (0.1%) is in doubt", "the model finds them plausible."),
        (99, "99 of 1,000 labels (9.9%) are in doubt", "the model finds them plausible."),
        (100, "100 of 1,000 labels", "which is 100 to 150 rows."),
        (150, "150 of 1,000 labels", "which is 100 to 150 rows."),
        (151, "151 of 1,000 labels", "the model doubts hard rows as well."),
    ],
)
def test_more_doubted_labels_than_are_likely_to_be_wrong_and_fewer_are_explained(n_doubted, begin, end):
    said = statement(report(n_doubted))
    assert said.startswith(begin) and said.endswith(end)
    assert "Of all labels 12.0% are estimated to be wrong (10.0% to 15.0%), which is 100 to 150 rows." in said


def test_a_rate_is_said_as_surely_as_it_is_known():
    rough = report(120, reliability="rough")
    assert statement(rough).endswith("This is a rough estimate. The model errs.")
    assert rate_as_figure(rough) == ("12.0%", "10.0% to 15.0%, rough")
    assert rate_in_words(rough) == "noise rate 12.0% (10.0% to 15.0%), a rough estimate"
    unknown = report(120, reliability="none")
    assert statement(unknown).endswith("How many labels are wrong cannot be told. The model errs.")
    assert rate_as_figure(unknown) == ("unknown", "the model is too often wrong")
    assert rate_in_words(unknown) == "noise rate unknown: the model is too often wrong to tell"
    of_old = report(120, interval=None)  # as version 0.1 pickled it
    assert statement(of_old).endswith("About 12.0% of all labels are estimated to be wrong.")
    assert rate_as_figure(of_old) == ("12.0%", "") and rate_in_words(of_old) == "noise rate 12.0%"
