"""The papers' tables of texts and grades: what is said of them holds in the committed rows, and they are complete."""

import importlib

import numpy as np
import pandas as pd
import pytest

from benchmarks.papers import (
    _runner,
    cifar10_rivals,
    dm_table1,
    dm_table5,
    dm_table5_steps,
    pvdbow_overhead,
    slr_ordinal,
)
from benchmarks.rows import read_rows

DM = "DM, lam=0.5, beta=12"
BEST = ["ELR", "GCE", "SCE", "DM, lam=0.5, beta=8"]


@pytest.fixture(scope="module")
def sentiment():
    """Committed accuracies of DM Table 5 in percent, by features, step, method and condition."""
    rows = [
        {**row["job"], **measured}
        for row in read_rows(_runner.rows_path("dm_table5"))
        for measured in row["accuracies"]
        if row["job"]["scale"] == "paper" and row["job"]["group"] != dm_table5.EMPHASES
    ]
    return 100 * pd.DataFrame(rows).groupby(["features", "step", "method", "condition"])["accuracy"].mean()


@pytest.fixture(scope="module")
def gains():
    """Gain in QWK of round 3 over none, by estimator, task and measure."""
    measures = ["qwk_half", "qwk_fitted", "label_qwk"]
    rows = [
        {**row["job"], **{name: row[name][3] - row[name][0] for name in measures}}
        for row in read_rows(_runner.rows_path("slr_ordinal"))
        if row["job"]["scale"] == "full"
    ]
    return pd.DataFrame(rows).groupby(["estimator", "task"])[measures].mean()


@pytest.mark.parametrize("script", [dm_table5, dm_table5_steps, pvdbow_overhead, slr_ordinal], ids=lambda s: s.NAME)
def test_a_clean_checkout_has_all_rows_and_prints_the_tables(script, monkeypatch, capsys):
    def execute(**job):
        raise AssertionError(f"no row yet: {job}")

    monkeypatch.setattr(script, "execute", execute)
    monkeypatch.setattr("sys.argv", [script.NAME])
    script.main()
    shown = capsys.readouterr().out
    assert shown == script.tables() + "\n"
    assert "No rows" not in shown


class TestSentiment:
    """DM Table 5."""

    @pytest.mark.parametrize("features", dm_table5.FEATURES)
    def test_clean_cross_entropy_is_within_a_point_of_the_paper(self, sentiment, features):
        assert abs(sentiment[features, "mean", "CCE", "r=0"] - 88.9) <= 1

    def test_at_40_percent_the_scale_of_the_features_decides(self, sentiment):
        raw, unit, standard = (sentiment[features, "mean", "CCE", "r=0.4"] for features in dm_table5.FEATURES)
        assert min(raw, unit) > 75.5 + 8
        assert 0 <= 75.5 - standard <= 2.5

    @pytest.mark.parametrize("method", ["CCE", "MAE", "CCE-DN", "GCE-DN", "MSE-DN", "DM"])
    def test_at_40_percent_the_step_decides_too(self, sentiment, method):
        published = float(dm_table5.PAPER[method, "r=0.4"])
        assert abs(sentiment["raw", "four means", method, "r=0.4"] - published) <= 2

    @pytest.mark.parametrize(("method", "published"), [
        ("CCE", 63.4), ("GCE", 50), ("MAE", 50), ("MSE-DN", 64.4), ("DM", 65.0),
    ])  # fmt: skip
    def test_fifty_to_one_is_the_papers_at_the_longer_step(self, sentiment, method, published):
        assert dm_table5.PAPER[method, "50:1"] in (str(published), "0.5")
        assert abs(sentiment["raw", "four means", method, "50:1"] - published) <= 2

    def test_imbalance_at_the_longer_step(self, sentiment):
        longer = sentiment["raw", "four means"].unstack("condition")
        assert sentiment["raw", "mean", "DM", "50:1"] == 50
        assert abs(longer["10:1"]["DM"] - longer["10:1"]["CCE"]) < 1
        assert float(dm_table5.PAPER["DM", "10:1"]) - longer["10:1"]["DM"] > 2
        for method in ("CCE", "GCE", "MSE", "CCE-DN", "MSE-DN"):
            assert abs(longer["10:1"][method] - float(dm_table5.PAPER[method, "10:1"])) <= 2
        assert longer["50:1"]["MAE-DN"] - longer["50:1"]["DM"] > 3

    def test_each_seed_has_vectors_of_its_own_in_all_rows(self):
        rows = read_rows(_runner.rows_path("dm_table5")) + read_rows(_runner.rows_path("dm_table5_steps"))
        vectors = {(row["job"]["seed"], row["vectors"]) for row in rows}
        assert len(vectors) == len({seed for seed, _ in vectors}) == len({digest for _, digest in vectors}) == 3

    @pytest.mark.parametrize("features", dm_table5.FEATURES)
    def test_the_published_beta_does_harm_with_means_and_with_sums(self, sentiment, features):
        assert sentiment[features, "mean", "DM", "r=0.4"] < sentiment[features, "mean", "CCE", "r=0.4"] - 10
        assert sentiment[features, "sum", "DM", "r=0.4"] < 55  # a guess is 50

    def test_agreement_counts_cells_within_the_margin(self):
        cells = [("r=0", "CCE", 0.86), ("r=0", "CCE", 0.88), ("50:1", "GCE", 0.5), ("50:1", "DM", 0.5)]
        frame = pd.DataFrame(cells, columns=["condition", "method", "accuracy"])
        frame = frame.assign(features="raw", step="mean", group="noise")
        line = next(line for line in dm_table5.agreement(frame).splitlines() if line.startswith("| raw, mean |"))
        # 87.0 against 88.9; one class against the paper's "0.5", which DM's 65.0 is not.
        assert line == "| raw, mean | CCE | – | – | – | GCE | 2 of 3 |"


class TestOneCore:
    """CIFAR-10 at 40 % symmetric noise by the protocol of one core."""

    @pytest.fixture
    def rows(self):
        frame = cifar10_rivals.TABLE.frame(scale="core")
        return frame.set_index(["method", "seed"]).sort_index()

    def test_cross_entropy_learns_more_than_half_of_the_wrong_labels(self, rows):
        assert rows.loc["CCE", "memorized"].gt(0.5).all()

    @pytest.mark.parametrize("method", [DM, "ProSelfLC"])
    def test_the_gain_is_many_times_its_standard_error(self, rows, method):
        gain = (rows.loc[method, "final"] - rows.loc["CCE", "final"]).dropna()
        assert len(gain) >= 2
        assert gain.mean() > 5 * gain.sem()

    def test_dm_is_ahead_of_proselflc_and_the_default_beta_of_the_published(self, rows):
        for better, worse in ((DM, "ProSelfLC"), ("DM, lam=0.5, beta=8", DM)):
            difference = (rows.loc[better, "final"] - rows.loc[worse, "final"]).dropna()
            assert difference.mean() > 2 * difference.sem()

    def test_the_best_methods_do_not_separate_by_two_points(self, rows):
        best = [rows.loc[method, "final"].mean() for method in BEST]
        others = rows["final"].groupby(level="method").mean().drop([*BEST, "co-teaching"])
        assert max(best) - min(best) < 0.02
        assert others.max() < min(best)

    def test_memories_and_corrections_end_between(self, rows):
        final = rows["final"].groupby(level="method").mean()
        assert final[["PENCIL", "joint optimization", "Forward", "ProSelfLC"]].between(0.64, 0.66).all()
        assert final[["label smoothing", "Boot-soft", "Boot-hard", "bi-tempered"]].between(0.54, 0.58).all()
        assert final["OHEM"] < final["CCE"]

    def test_cross_entropy_is_best_on_the_way_and_dm_at_the_end(self, rows):
        best = rows["curve"].map(np.argmax)
        assert best.loc["CCE"].isin([1, 2, 3]).all()  # of six predictions; the second is of epoch 10
        assert (rows["best"] - rows["final"]).loc["CCE"].gt(0.05).all()
        assert (best.loc[DM] == 5).all()

    def test_wrong_labels_teach_cross_entropy_more_and_more_and_dm_little(self, rows):
        taught = rows["emphasis_wrong"]
        for seed in taught.loc["CCE"].index:
            first, *_, last = taught.loc["CCE", seed]
            assert abs(first - rows.loc["CCE", "realised_rate"].loc[seed]) < 0.03
            assert last > 0.5
        for seed, (first, *later) in taught.loc[DM].items():
            assert first < rows.loc[DM, "realised_rate"].loc[seed] - 0.05
            assert max(later) < 1 / 3

    def test_fates_of_the_wrong_labels(self, rows):
        assert rows.loc[DM, "memorized"].lt(0.1).all()
        assert rows.loc["ProSelfLC", "memorized"].lt(1 / 3).all()
        assert rows.loc["ProSelfLC", "corrected"].gt(0.5).all()

    def test_rows_are_of_one_protocol_and_of_a_clean_tree(self, rows):
        assert rows["protocol"].nunique() == 1
        assert not rows["commit"].str.endswith("+changes").any()


def one_core(name):
    """Rows of a table by the protocol of one core, by method and seed."""
    frame = importlib.import_module(f"benchmarks.papers.{name}").TABLE.frame(scale="core")
    return frame.set_index(["method", "seed"]).sort_index()


def of_first_seed(name, measure="final"):
    """A measure of a table by the protocol of one core, by method and condition."""
    rows = one_core(name).xs(0, level="seed").reset_index()
    return rows.pivot(index="method", columns="condition", values=measure)


def ahead(rows, better, worse, by=2):
    """Whether the difference of two methods is so many of its standard errors, over the seeds that both have."""
    difference = (rows.loc[better, "final"] - rows.loc[worse, "final"]).dropna()
    return len(difference) >= 3 and difference.mean() > by * difference.sem()


class TestOtherTablesOfOneCore:
    def test_dm_gains_on_cifar100_as_much_as_published(self):
        rows = one_core("dm_table1")
        rows = rows[rows["condition"] == "symmetric 0.4"]
        assert ahead(rows, "DM, lam=0.5", "CCE", by=5)
        for worse in ("DM, lam=1", "GCE", "DM, beta=0"):
            assert ahead(rows, "DM, lam=0.5", worse) and ahead(rows, worse, "CCE", by=5)
        means = rows["final"].unstack("seed").dropna().mean(axis=1)
        assert len(means) == len(dm_table1.TABLE.methods) and means.idxmax() == "DM, lam=0.5"
        assert abs(100 * (means["DM, lam=0"] - means["CCE"]) - 3) < 0.5
        published = dm_table1.TABLE.published
        gain = rows.loc["DM, lam=0.5", "final"].mean() - rows.loc["CCE", "final"].mean()
        assert 100 * gain > float(published["DM, lam=0.5", "symmetric 0.4"]) - float(published["CCE", "symmetric 0.4"])

    def test_targets_on_cifar100(self):
        rows = one_core("proselflc_table4")
        final = rows[rows["condition"] == "symmetric 0.4"].xs(0, level="seed")["final"]
        assert final["SL"] < final["CCE"] < final.drop(["SL", "CCE"]).min()
        assert final["Boot-hard"] < final[["confidence penalty", "Boot-soft"]].min()
        assert final.idxmax() == "ProSelfLC"

    def test_other_columns_of_table_1(self):
        final = of_first_seed("dm_table1")
        gain = 100 * final.sub(final.loc["CCE"])
        asymmetric = ["asymmetric 0.2", "asymmetric 0.3", "asymmetric 0.4"]
        both = ["DM, lam=0.5", "DM, lam=1"]
        assert (
            gain.loc[both, "symmetric 0.2"].between(6, 7).all()
            and gain.loc[both, "symmetric 0.6"].between(8.5, 10.5).all()
        )
        assert np.allclose(gain.loc["GCE", ["symmetric 0.2", "symmetric 0.6"]], [2, 10], atol=0.5)
        assert np.allclose(gain.loc["DM, lam=1", asymmetric], [3, 2, 1], atol=0.5)
        assert np.allclose(gain.loc["DM, lam=0.5", asymmetric], [2, 1, 0], atol=0.5)
        assert gain.loc["GCE", asymmetric].between(-3, -1.5).all() and abs(gain.loc["GCE", "clean"] + 7) < 0.5
        assert abs(gain.loc["DM, lam=0.5", "clean"] + 1) < 0.5
        assert (
            gain.loc["DM, beta=0"].drop("symmetric 0.6").between(0.5, 6).all()
            and gain.loc["DM, beta=0", "symmetric 0.6"] > 0
        )

    def test_co_teaching_differs_from_seed_to_seed(self):
        final = 100 * one_core("cifar10_rivals").loc[[*BEST, "co-teaching"], "final"].unstack("seed")
        assert final.loc["co-teaching", 0] > final.loc[BEST, 0].min()
        assert 6.5 < final.loc["co-teaching", 0] - final.loc["co-teaching", 1] < 8
        assert final.loc[BEST, 1].min() - final.loc["co-teaching", 1] > 6.5
        assert final.loc["co-teaching", 2] > final.loc[BEST, 2].min()

    def test_losses_beside_dm_in_table_1(self):
        final = 100 * of_first_seed("dm_table1")
        gain = final - final.loc["CCE"]
        assert final.loc[["MAE", "MAE-DN"]].lt(10).all(axis=None) and final.loc["MSE"].lt(15.5).all()
        assert final.loc[["GCE-DN", "MSE-DN"]].lt(24).all(axis=None)
        assert gain.loc["CCE-DN"].abs().lt(1.2).all()
        assert gain.loc[["label smoothing", "Boot-hard"]].abs().lt(2).all(axis=None)
        symmetric = ["symmetric 0.2", "symmetric 0.4", "symmetric 0.6"]
        assert gain.loc["Forward", symmetric].between(4, 8).all() and gain.loc["SL"].between(-7.5, -3).all()

    def test_means_over_augmented_copies_gain_nothing(self):
        final = 100 * of_first_seed("slr_table1")["as given"]
        assert final["SLR"] - final["alone"] > 1 and abs(final["SLR-a"] - final["alone"]) < 0.1

    def test_regularizers_add_nothing_to_dm(self):
        rows = one_core("dm_table8")
        final = 100 * rows[rows["condition"] == "r=0.4"]["final"].unstack("seed")
        gains = {name: final.loc[name.replace("CCE", "DM")] - final.loc[name] for name in final.index if "CCE" in name}
        assert all(gain.gt(4).all() for gain in gains.values())
        means = {name: round(gain.mean()) for name, gain in gains.items()}
        assert means == {"CCE": 18, "CCE L2": 15, "CCE dropout": 6, "CCE L2, dropout": 9}
        of_dm = final[final.index.str.startswith("DM")].mean(axis=1)
        assert len(final.columns) == 3 and len(of_dm) == 4 and of_dm.max() - of_dm.min() < 1

    def test_several_architectures_gain_as_their_mean_alone(self):
        final = 100 * of_first_seed("slr_table1")["as given"]
        gain = final - final["alone"]
        assert gain["SLR-e"] == pytest.approx(3.5, abs=0.05) and gain["SLR-ae"] == pytest.approx(3.2, abs=0.05)
        assert gain["mean of three"] == pytest.approx(4.4, abs=0.05)

    def test_trust_needs_the_row_and_the_time(self):
        rows = one_core("proselflc_figure2")
        rows = rows[rows["condition"] == "symmetric 0.4"]
        assert ahead(rows, "ProSelfLC", "fixed") and ahead(rows, "fixed", "CCE")
        assert rows.loc["local only", "best"].lt(0.02).all()
        assert rows.loc["global only", "final"].lt(0.02).all() and rows.loc["global only", "best"].gt(0.26).all()

    def test_half_is_the_best_mode_at_forty_percent(self):
        rows = one_core("dm_table9")
        final = rows[rows["condition"] == "r=0.4"]["final"].unstack("seed")
        assert final.shape[1] == 3
        assert all(final[seed].sort_values().index[-2:].tolist() == ["DM, lam=2", "DM, lam=0.5"] for seed in final)
        gain = 100 * (final.mean(axis=1) - final.loc["CCE"].mean())
        assert np.allclose(gain[["DM, beta=0", "DM, lam=2", "DM, lam=0"]], [7, 11, 4], atol=0.5)
        assert abs(gain["DM, lam=0.5"] - gain["DM, lam=2"] - 2) < 0.5

    def test_dm_1_16_looks_at_the_fewest_examples_and_gains_by_training_longer(self):
        rows = one_core("cifar10_explained")
        spread = rows["emphasis_variance"].map(min)
        assert spread.loc["DM, lam=1, beta=16"].gt(4).all()
        assert max(of_first_seed("dm_table9", "emphasis_variance").loc["DM, lam=2", "r=0.4"]) < 3
        longer = rows.loc[("DM, lam=1, beta=16, three times the epochs", 0), "final"]
        assert longer > rows.loc["DM, lam=1, beta=16", "final"].max()

    def test_fewer_wrong_labels_ask_for_flatter_weights(self):
        final = of_first_seed("dm_figures5_11")
        best = {}
        for lam, betas in {"0.5": (4, 8, 12, 16), "1": (8, 12, 16, 20), "2": (12, 16, 20, 24)}.items():
            points = final.loc[[f"DM, lam={lam}, beta={beta}" for beta in betas]]
            best[lam] = points.max()
            assert points["r=0.2"].is_monotonic_decreasing
            assert points["r=0.4"].argmax() >= points["r=0.2"].argmax()
        at_20 = [column["r=0.2"] for column in best.values()]
        assert max(at_20) - min(at_20) < 0.01 and min(at_20) - final["r=0.2"]["CCE"] > 0.07
        none = [name for name in final.index if name.startswith("DM, lam=0, ")]
        assert final["r=0.2"][none].max() < final["r=0.2"]["DM, beta=0"]

    def test_the_best_beta_rises_with_the_rate_and_falls_where_few_labels_are_right(self):
        final = of_first_seed("dm_figures5_11")
        grid = {"0.5": (4, 8, 12, 16), "1": (8, 12, 16, 20), "2": (12, 16, 20, 24)}
        points = {lam: final.loc[[f"DM, lam={lam}, beta={beta}" for beta in betas]] for lam, betas in grid.items()}
        best = {lam: points[lam].set_axis(grid[lam]).idxmax() for lam in grid}
        assert [best[lam]["r=0.6"] for lam in grid] == [12, 12, 12]
        assert [best[lam]["r=0.8"] for lam in grid] == [8, 8, 12]
        gain = {rate: [points[lam][rate].max() - final.loc["CCE", rate] for lam in grid] for rate in final.columns}
        assert 0.15 < min(gain["r=0.6"]) and max(gain["r=0.6"]) < 0.185 and np.argmax(gain["r=0.6"]) == 0
        assert np.allclose(gain["r=0.8"], [0.06, 0.02, 0.05], atol=0.005) and np.argmax(gain["r=0.8"]) == 0
        assert np.ptp(gain["r=0.2"]) < 0.01 and np.ptp(gain["r=0.6"]) < 0.03
        for lam, betas in grid.items():
            column = points[lam].set_axis(betas)["r=0.8"]
            assert column[betas[betas.index(best[lam]["r=0.8"]) + 1]] < final.loc["CCE", "r=0.8"] - 0.08

    def test_no_point_of_the_grid_gains_on_clean_labels(self):
        final = of_first_seed("dm_figures5_11")
        clean = final["r=0"]
        assert clean.idxmax() == "DM, beta=0"
        for lam, betas in {"0.5": (4, 8, 12, 16), "1": (8, 12, 16, 20), "2": (12, 16, 20, 24)}.items():
            points = clean[[f"DM, lam={lam}, beta={beta}" for beta in betas]]
            assert points.is_monotonic_decreasing and abs(points.iloc[0] - clean["CCE"]) < 0.01
        assert final["r=0.6"].filter(like="lam=0,").max() < final.loc["DM, beta=0", "r=0.6"]

    def test_dm_gains_under_each_regularizer_on_cifar100(self):
        final = of_first_seed("dm_table6_cifar100")["r=0.4"]
        kinds = ("", " L2", " dropout", " L2, dropout")
        gains = [final[f"DM{kind}"] - final[f"CCE{kind}"] for kind in kinds]
        assert np.allclose(gains, [0.10, 0.09, 0.04, 0.04], atol=0.005)
        assert np.ptp([final[f"DM{kind}"] for kind in kinds]) < 0.01

    def test_dm_gains_under_each_regularizer_on_cifar10(self):
        final = 100 * one_core("dm_table6")["final"].unstack("seed")
        gains = {
            kind: final.loc[f"DM{kind}"] - final.loc[f"CCE{kind}"] for kind in ("", " L2", " dropout", " L2, dropout")
        }
        assert np.allclose([gain.mean() for gain in gains.values()], [15.7, 15.4, 6.8, 7.3], atol=0.1)
        assert abs((final.loc["CCE dropout"] - final.loc["CCE"]).mean() - 9.2) < 0.1
        added = {name: final.loc[f"{name} L2"] - final.loc[name] for name in ("CCE", "DM")}
        assert all(gain.gt(0).all() and abs(gain.mean() - 1) < 0.25 for gain in added.values())
        for name in ("CCE", "DM"):
            added = final.loc[f"{name} L2, dropout"] - final.loc[f"{name} dropout"]
            assert abs(added.mean()) < 4.3 * added.sem()  # Student's t of two degrees of freedom, 5 %

    def test_what_is_seen_of_sop_nce_rce_and_peer_loss(self):
        rows = one_core("cifar10_explained")
        shared = rows.loc[["CCE", "SOP, lr_u=1"], "final"].unstack("method").dropna()
        assert (shared["SOP, lr_u=1"] - shared["CCE"]).abs().max() < 0.01
        long = rows.loc[("SOP, lr_u=10", 0)]
        assert abs(long["final"] - one_core("cifar10_rivals").loc[(DM, 0), "final"]) < 0.01 and long["memorized"] < 0.25
        assert rows.loc["NCE+RCE", "emphasis_variance"].str[-1].gt(18).all()
        assert rows.loc["peer loss", "curve"].map(np.argmax).isin([1, 2]).all()  # of six, one every five epochs
        assert rows.loc["peer loss", "emphasis_variance"].str[-1].lt(0.01).all()

    def test_human_labels(self):
        final = of_first_seed("cifar10_human")
        assert final["worse"].sort_values().index[-2:].tolist() == ["DM, lam=0.5", "ELR"]
        gain = final.sub(final.loc["CCE"])
        assert (gain.loc["DM, lam=1"] < 0).all() and gain.loc["DM, lam=1"].drop("worse").max() < -0.05
        assert (gain.loc["ELR"].drop(["worse"]) > 0.03).all()
        assert gain.loc["DM, lam=0.5", ["random1", "random2", "random3"]].between(0.035, 0.045).all()
        assert gain.loc["GCE", ["random1", "random2"]].max() < 0.02
        assert abs(gain.loc["GCE", "random3"] - gain.loc["DM, lam=0.5", "random3"]) < 0.005
        assert gain.loc[["GCE", "ProSelfLC", "DM, lam=0.5"], "aggregate"].abs().max() < 0.0105

    def test_losses_of_table_2_at_each_rate(self):
        final = of_first_seed("dm_table2")
        gain = final.sub(final.loc["CCE"])
        bounded = ["GCE", "MSE", "DM, lam=0.5"]
        assert gain.loc[bounded, ["r=0.2", "r=0.8"]].gt(0.06).all(axis=None)
        assert (final.loc[bounded].max() - final.loc[bounded].min())[["r=0.2", "r=0.8"]].lt(0.012).all()
        assert gain.loc["CCE-DN"].abs().max() < 0.02 and final.loc["MAE-DN"].max() < 0.21
        assert gain.loc["DM, beta=0", ["r=0.2", "r=0.4"]].gt(0.04).all()
        assert gain.loc[["GCE", "DM, lam=0.5"], "r=0"].between(-0.04, -0.02).all()
        assert of_first_seed("dm_table2", "fits true")["r=0"][["GCE", "DM, lam=0.5"]].max() < 0.86

    @pytest.mark.parametrize("loss", ["GCE", "MSE"])
    def test_a_normalized_loss_that_trusts_what_is_believed_does_not_converge(self, loss):
        final = of_first_seed("dm_table2")
        noisy = ["r=0", "r=0.2", "r=0.4"]
        assert (final.loc[loss, noisy] - final.loc[f"{loss}-DN", noisy]).gt(0.12).all()
        assert final.loc[f"{loss}-DN", "r=0.8"] >= final["r=0.8"].max() - 0.01
        curves = of_first_seed("dm_table2", "curve")
        falls = curves.map(lambda curve: -np.diff(curve).min())
        assert falls.loc[f"{loss}-DN", noisy].gt(0.1).all()
        assert falls.loc[[loss, "CCE-DN"], noisy].lt(0.04).all(axis=None)

    def test_a_tenth_of_the_rate_helps_gce_dn_and_leaves_few_labels_with_the_whole_step(self):
        final, spread = of_first_seed("cifar10_explained"), of_first_seed("cifar10_explained", "emphasis_variance")
        slow, fast = (final.loc[name, "symmetric 0.4"] for name in ("GCE-DN, lr 0.01", "GCE-DN"))
        assert 0.1 < slow - fast and of_first_seed("dm_table2").loc["GCE", "r=0.4"] - slow > 0.1
        assert max(spread.loc["GCE-DN, lr 0.01", "symmetric 0.4"]) > 20
        final = final["symmetric 0.4"]
        assert final["MSE-DN, lr 0.01"] - final["MSE-DN"] > 0.25 and final["MSE-DN, lr 0.01"] - final["CCE"] > 0.04

    def test_optimizers(self):
        final, memorized = of_first_seed("dm_table7"), of_first_seed("dm_table7", "memorized").loc["CCE"]
        gain = final.sub(final.loc["CCE"])
        short = ["SGD", "Adam, lr 0.005, delta 1"]
        assert memorized[short].lt(0.11).all() and memorized.drop(short).gt(0.3).all()
        assert gain.loc["DM", short].between(0.025, 0.05).all() and gain.loc["DM"].drop(short).gt(0.09).all()
        assert gain.loc[["GCE", "MSE", "MAE"], short].lt(0).all(axis=None) and gain.loc["MAE"].lt(0).all()
        assert (gain.loc["DM"] - gain.loc["GCE"]).drop(short).abs().max() < 0.011

    def test_other_rates_of_table_9(self):
        final, best = of_first_seed("dm_table9"), of_first_seed("dm_table9", "best")
        gain = final.sub(final.loc["CCE"])
        modes = ["DM, lam=0.5", "DM, lam=1", "DM, lam=2"]
        assert gain.loc[modes, "r=0.6"].gt(0.15).all() and gain.loc[modes, "r=0.8"].gt(0.015).all()
        assert final.loc[modes, ["r=0.6", "r=0.8"]].idxmax().eq("DM, lam=0.5").all()
        lost = (best - final).loc["CCE"]
        assert lost["r=0.2"] < 0.01 and lost.drop("r=0.2").gt(0.025).all()
        # The beta that the paper prints for 20 % leaves right labels behind, a smaller one does not.
        learned = of_first_seed("dm_table9", "fits true")["r=0.2"]
        assert learned[modes].max() < 0.73 < 0.8 < learned["CCE"]
        smaller = of_first_seed("dm_table2")["r=0.2"]["DM, lam=0.5"]
        assert smaller - final.loc["DM, lam=0.5", "r=0.2"] > 0.04
        assert of_first_seed("dm_table2", "fits true")["r=0.2"]["DM, lam=0.5"] > 0.8

    def test_other_columns_of_the_targets(self):
        final, memorized = of_first_seed("proselflc_table4"), of_first_seed("proselflc_table4", "memorized")
        pairs = ["asymmetric 0.2", "asymmetric 0.3", "asymmetric 0.4"]
        of_paper = ["CCE", "label smoothing", "confidence penalty", "Boot-soft", "ProSelfLC"]
        assert final.loc[of_paper, [*pairs, "symmetric 0.2"]].idxmax().eq("ProSelfLC").all()
        gain = (final.loc["ProSelfLC"] - final.loc["CCE"])[pairs]
        assert gain.is_monotonic_decreasing and gain.iloc[0] > 2 * gain.iloc[-1]
        assert memorized.loc["CCE", pairs].gt(0.9).all() and memorized.loc["ProSelfLC", pairs].gt(0.55).all()
        rows = one_core("proselflc_table4")
        rows = rows[rows["condition"] == "asymmetric 0.4"]
        seeds = 100 * rows["final"].unstack("seed")
        assert seeds.loc[of_paper].idxmax().eq("ProSelfLC").all() and seeds.shape[1] == 3
        assert ahead(rows, "ProSelfLC", "CCE", by=5)
        assert abs((seeds.loc["ProSelfLC"] - seeds.loc["CCE"]).mean() - 1.3) < 0.05
        assert np.allclose(seeds.loc["Forward"] - seeds.loc["CCE"], [-1, 2, 1], atol=0.5)
        assert rows["memorized"].unstack("seed").loc["Forward"].lt(0.53).all()
        assert seeds.std(axis=1).drop("Forward").max() < 0.6 and abs(seeds.std(axis=1)["Forward"] - 1.8) < 0.05
        curve = of_first_seed("proselflc_table4", "curve").loc["ProSelfLC", "symmetric 0.6"]
        assert max(curve) > 0.2 and max(curve[-2:]) < 0.025
        slower = of_first_seed("proselflc_figure2", "curve")["symmetric 0.6"]["ProSelfLC, slope=8"]
        assert slower[-1] - final.loc["CCE", "symmetric 0.6"] > 0.05
        assert min(slower[1:]) > 0.1


class TestSteps:
    def test_it_runs_and_resumes(self, tmp_path, monkeypatch):
        rng = np.random.default_rng(0)
        y = np.tile([0, 1], 300)
        X = (rng.normal(size=(600, 10)) + 2 * y[:, None]).astype(np.float32)
        monkeypatch.setattr(dm_table5_steps, "vectors", lambda scale, seed, cache: (X[:400], y[:400], X[400:], y[400:]))
        path = tmp_path / "rows.jsonl"
        jobs = _runner.product_of(scale=["tiny"], seed=[0], features=["unit"])
        _runner.run_jobs(path, jobs, dm_table5_steps.execute, report=lambda line: None)
        (row,) = read_rows(path)
        assert row["row_length"] == pytest.approx(1, abs=1e-3)  # rounded to three digits
        assert row["n_wrong"] == pytest.approx(160, abs=40)  # four standard errors of 400 labels
        assert len(row["measured"]) == len(dm_table5_steps.METHODS) * len(dm_table5_steps.FACTORS)
        shown = dm_table5_steps.tables(path, scale="tiny")
        assert "CCE at 40 % noise, test accuracy in percent, the paper's 75.5; 1 seeds" in shown

    def test_steps_of_the_table_score_as_in_the_table(self):
        """Same settings, rows and seed: both scripts measure the same, whatever trains beside."""
        settings = ["features", "seed", "method", "factor"]
        steps = pd.DataFrame(
            [
                {**row["job"], **measured}
                for row in read_rows(_runner.rows_path("dm_table5_steps"))
                for measured in row["measured"]
            ]
        ).set_index(settings)["accuracy"]
        table = pd.DataFrame(
            [
                {**row["job"], **measured, "factor": dm_table5.STEPS[row["job"]["step"]]}
                for row in read_rows(_runner.rows_path("dm_table5"))
                for measured in row["accuracies"]
                if row["job"]["group"] == "noise" and measured["condition"] == dm_table5_steps.CONDITION
            ]
        ).set_index(settings)["accuracy"]
        both = pd.concat({"steps": steps, "table": table}, axis=1, join="inner")
        both = both[both.index.get_level_values("factor") < dm_table5.BATCH_SIZE]  # sums diverge, by rounding alone
        assert len(both) >= 16
        # 50 of 25,000 test rows: what is trained beside changes the rounding of float32, not the network.
        assert (both["steps"] - both["table"]).abs().max() <= 0.002


def test_vectors_of_50_000_reviews_cost_at_most_a_tenth_more_than_gensim_alone():
    ratios = [
        row["ratio"] for row in read_rows(_runner.rows_path("pvdbow_overhead")) if row["job"]["n_reviews"] == 50_000
    ]
    assert len(ratios) >= 2
    assert max(ratios) <= 1.10


class TestOrdinal:
    def test_boosted_trees_gain_on_every_task_where_thresholds_are_fitted(self, gains):
        assert gains.loc["HistGradientBoosting", "qwk_fitted"].gt(0).all()

    def test_ridge_does_not_gain(self, gains):
        assert gains.loc["Ridge"][["qwk_half", "qwk_fitted"]].lt(slr_ordinal.PAPER_GAIN).all(axis=None)

    def test_refined_grades_are_better_than_given_ones_only_where_noise_goes_far(self, gains):
        better = gains["label_qwk"].unstack("estimator").gt(0).all(axis=1)
        assert set(better[better].index) == {"wine, 40 % to any grade", "lidc, one radiologist"}
