"""The benchmark of what a noise rate is worth: its rows, and the table that is made of them."""

import numpy as np
import pytest

from benchmarks import reliability


def row(true, estimated, level, low=0.0, high=1.0):
    measured = {"true_rate": true, "estimated_rate": estimated, "low": low, "high": high, "reliability": level}
    return measured | {"task": "a/clean/0", "seed": 1, "auditor": "a model", "processor": "a machine", "commit": "abc"}


def test_warnings_are_counted_where_estimates_are_off_and_where_they_are_near():
    rows = [
        row(0.1, 0.3, "none"),
        row(0.1, 0.25, "good"),
        row(0.1, 0.11, "rough"),
        row(0.1, 0.12, "good"),
        row(0.1, 0.17, "none"),  # neither off nor near
    ]
    assert reliability.warned_shares(rows) == (0.5, 0.5)


def test_intervals_are_judged_by_the_true_rate():
    rows = [row(0.1, 0.12, "good", 0.09, 0.15), row(0.1, 0.12, "good", 0.11, 0.15), row(0.1, 0.5, "none")]
    table = reliability.reliability_table(rows)
    assert table.loc["good", "interval holds"] == "50%"
    assert table.loc["good", "off by, median"] == "2.0"
    assert list(table.index) == ["good", "none"]
    assert "off by more than 10 points" in reliability.reliability_block(rows)


def test_ninety_five_of_a_hundred_are_within():
    rows = [row(0.1, 0.1 + k / 1000, "good") for k in range(101)]  # 0 to 10 points
    line = reliability.reliability_table(rows).loc["good"]
    assert (line["off by, median"], line["95 % within"], line["audits"]) == ("5.0", "9.5", "101")


def test_a_row_holds_the_truth_and_what_the_report_says(shared_data):
    made = reliability.run("digits/symmetric/0.2", 1, "logistic regression, five fits")
    assert made["low"] <= made["estimated_rate"] <= made["high"]
    assert made["reliability"] in reliability.LEVELS
    assert made["true_rate"] == pytest.approx(0.2, abs=0.05)
    assert np.isfinite(made["seconds"])


def test_people_are_not_simulated():
    assert reliability.tasks_of("lidc_malignancy") == ["lidc_malignancy/human/0"]
    assert len(reliability.tasks_of("magic")) == 5
