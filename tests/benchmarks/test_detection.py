"""Tables of the detection benchmark: made from rows, by the rules its page states."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import detection
from benchmarks.patch_features import patch_features
from benchmarks.rows import read_rows


def row(task, network, evidence, seed=0, **measured):
    versions = {"torch": "2", "cleanlab": "2.9.0"}
    return {"task": task, "network": network, "evidence": evidence, "seed": seed, **measured} | {
        "versions": versions,
        "processor": "a machine",
        "commit": "abc",
    }


@pytest.fixture
def rows():
    made = []
    for table, error in (("good", 0.05), ("poor", 0.3)):
        made.append(row(f"{table}/symmetric/0.2", "cross entropy", detection.CLEAN_ERROR, clean_error=error))
        for rate in detection.RATES:
            task = f"{table}/symmetric/{rate:g}"
            off = 0.01 if table == "good" else 0.3
            rates = {"realised_rate": rate, "estimated_rate": rate + off, "confident_joint_rate": rate + 2 * off}
            made.append(row(task, "cross entropy", detection.FIVE_FITS, auc=0.9, **rates))
            made.append(row(task, "ProSelfLC", detection.HALVES, realised_rate=rate, estimated_rate=rate - off))
        made.append(row(f"{table}/symmetric/0.2", "ProSelfLC", detection.ONE_FIT, auc=0.95, realised_rate=0.2))
    return made


def test_rates_are_measured_where_the_clean_error_is_small(rows):
    assert detection.accurate_tables(rows) == ["good"]
    runs = detection.runs_of("rates", [0], rows)
    assert {run[0] for run in runs} == {f"good/symmetric/{rate:g}" for rate in detection.RATES}


def test_the_best_of_a_task_is_bold_and_tables_are_averaged(rows):
    table = detection.detection_table(rows)
    assert table.loc["good/symmetric/0.2", "ProSelfLC, one fit"] == "**0.950**"
    assert table.loc["mean over tables", "cross entropy, five fits, cleanlab"] == "0.9000"


def test_errors_of_the_rate_are_in_points_and_the_greatest_is_named(rows):
    table = detection.noise_rate_table(rows)
    assert table.loc["cross entropy, five fits", "40%"] == "1.0"
    assert table.loc["cross entropy, five fits, confident joint", "10%"] == "2.0"
    assert table.loc["ProSelfLC, two half fits", "greatest"].startswith("1.0 (good/")
    assert table.loc["ProSelfLC, two half fits", "tasks within 5"] == "4 of 4"
    assert "good" in detection.detection_block(rows)


def test_images_are_in_no_mean_over_tables(rows):
    rows.append(row("cifar10n/worse", "cross entropy", detection.FIVE_FITS, auc=0.5))
    rows.append(row("cifar10n/worse", "ProSelfLC", detection.ONE_FIT, auc=0.6))
    table = detection.detection_table(rows)
    assert table.loc["mean over tables"].tolist() == ["0.9500", "0.9000"]


def test_an_error_is_from_the_realized_rate_and_of_a_task_that_of_its_mean(rows):
    of_good = [r | {"seed": seed} for r in rows for seed in (0, 1) if r["task"].startswith("good")]
    for r in of_good:
        if r["evidence"] == detection.HALVES:  # as far above as below
            r |= {
                "realised_rate": r["realised_rate"] + 0.02,
                "estimated_rate": r["realised_rate"] + 0.02 + 0.1 * r["seed"],
            }
            r["estimated_rate"] -= 0.05
    table = detection.noise_rate_table(of_good)
    line = table.loc["ProSelfLC, two half fits"]
    assert line["10%"] == line["40%"] == "0.0 ± 7.1"
    assert line["greatest"].startswith("0.0 (good/") and line["tasks within 5"] == "4 of 4"


def test_plain_cross_entropy_is_no_evidence_after_one_fit():
    assert ("cross entropy", detection.ONE_FIT) not in [run[2:] for run in detection.runs_of("tables", [0], [])]


@pytest.mark.parametrize("part", ["tables", "rates", "cifar10n"])
def test_what_audits_by_default_is_measured_beside_the_others(rows, part):
    pairs = [run[2:] for run in detection.runs_of(part, [0], rows)]
    assert ("NoisyLabelClassifier", detection.LEFT_OUT) in pairs
    assert ("RandomForest, tuned", detection.FIVE_FITS) in pairs  # who audits with another library may tune as well


def test_left_out_predictions_rank_and_count(shared_data, monkeypatch):
    # A fast classifier stands in: what is asked of an audit is the same.
    monkeypatch.setitem(detection.OTHERS, "NoisyLabelClassifier", detection.NETWORKS["ProSelfLC"])
    made = detection.run("car_evaluation/symmetric/0.2", 0, "NoisyLabelClassifier", detection.LEFT_OUT)
    assert made["auc"] > 0.5
    assert 0 <= made["estimated_rate"] <= 1
    assert "confident_joint_rate" not in made


class TestWhatTheReadmesSay:
    rows = read_rows(detection.PATH)
    auc = (
        pd.DataFrame(
            row for row in rows if "auc" in row and row["task"].endswith(("/symmetric/0.2", *detection.LABEL_SETS))
        )
        .assign(method=lambda frame: frame["network"] + ", " + frame["evidence"])
        .pivot_table("auc", "task", "method")
    )
    default = f"NoisyLabelClassifier, {detection.LEFT_OUT}"

    def test_the_default_audit_finds_the_most(self):
        assert not self.auc.isna().any(axis=None)
        ahead = self.auc[self.default] - self.auc.drop(columns=self.default).T
        assert ahead.min().min() > -0.02
        images = ahead.columns.str.startswith("cifar10n")
        assert (~images).sum() == 15 and ahead.loc[:, ~images].mean(axis=1).min() > 0
        assert ahead.loc[:, images].min().min() > 0.01 and 0.09 < ahead.loc[:, images].max().max() < 0.125

    def test_its_noise_rate_is_near(self):
        table = detection.noise_rate_table(self.rows)
        near = table["tasks within 5"]
        assert near[[self.default, "cross entropy, five fits", "RandomForest, tuned, five fits"]].eq("24 of 24").all()
        greatest = max(float(text.split()[0]) for text in table.filter(like="joint", axis=0)["greatest"])
        assert round(greatest) == 26


def test_patch_features_tell_textures_apart():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 40, (60, 3, 12, 12), dtype=np.uint8)
    images[30:, :, ::2] += 200  # stripes
    features = patch_features(images, n_centers=8, n_components=2, random_state=0)
    assert features.shape == (60, 2)
    first = features[:, 0]
    assert (first[:30].max() < first[30:].min()) or (first[:30].min() > first[30:].max())
