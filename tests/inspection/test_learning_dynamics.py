"""The display of what networks learned: its lines are the history."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklabelnoise import DMClassifier, ProSelfLCClassifier
from sklabelnoise.inspection import METHOD_COLORS, LearningDynamicsDisplay
from sklabelnoise.training import LearningDynamics

plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


class TestLearningDynamics:
    @pytest.fixture
    def model(self, noisy):
        X, y, y_clean = noisy
        dynamics = LearningDynamics(y_clean, X_test=X[:50], y_test=y_clean[:50])
        return ProSelfLCClassifier(callbacks=[dynamics], max_epochs=4, random_state=0).fit(X, y)

    @pytest.mark.parametrize(
        ("quantity", "columns"),
        [
            ("label_proba", {"label_proba_clean", "label_proba_wrong"}),
            ("accuracy", {"corrupted_accuracy", "intact_accuracy", "test_accuracy"}),
            ("wrong_labels", {"memorization_rate", "correction_rate"}),
            ("emphasis", {"emphasis_wrong"}),
            ("confidence", {"entropy", "trust"}),
        ],
    )
    def test_lines_are_the_history(self, model, quantity, columns):
        display = LearningDynamicsDisplay.from_estimator(model).plot(quantity)
        assert {column for _, column in display.lines_} == columns
        for (_, column), line in display.lines_.items():
            np.testing.assert_array_equal(line.get_ydata(), model.history_[column])
            np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3, 4])

    def test_several_models_differ_in_color_and_name(self, model):
        ax = plt.subplots()[1]
        display = LearningDynamicsDisplay.from_estimators({"A": model, "B": model}).plot(ax=ax)
        assert display.ax_ is ax and len(display.lines_) == 4
        texts = [text.get_text() for text in ax.get_legend().get_texts()]
        assert texts == ["A", "B", "right labels", "wrong labels"]
        assert (
            display.lines_["A", "label_proba_clean"].get_color() != display.lines_["B", "label_proba_clean"].get_color()
        )

    def test_a_name_and_options_reach_the_lines(self, model):
        display = LearningDynamicsDisplay.from_estimator(model, name="mine").plot("emphasis", lw=7, label="all")
        (line,) = display.lines_.values()
        assert list(display.lines_) == [("mine", "emphasis_wrong")]
        assert (line.get_linewidth(), line.get_label()) == (7, "all")

    def test_nothing_is_drawn_out_of_sight(self):
        history = pd.DataFrame({"entropy": [2.3, 1.1], "trust": [0.0, 0.5]})
        low, high = LearningDynamicsDisplay({"net": history}).plot("confidence").ax_.get_ylim()
        assert low < 0 and high > 2.3

    def test_shares_have_one_scale(self, model):
        display = LearningDynamicsDisplay.from_estimator(model)
        limits = {display.plot(name).ax_.get_ylim() for name in ("label_proba", "accuracy", "wrong_labels", "emphasis")}
        assert limits == {(-0.02, 1.02)}

    def test_a_history_of_version_0_1_is_drawn_by_the_names_of_today(self):
        old = pd.DataFrame({"memorisation_rate": [0.1, 0.2], "correction_rate": [0.3, 0.4]})
        lines = LearningDynamicsDisplay({"net": old}).plot("wrong_labels").lines_
        np.testing.assert_array_equal(lines["net", "memorization_rate"].get_ydata(), [0.1, 0.2])

    def test_a_method_alone_keeps_its_color_and_its_lines_differ_in_style(self):
        history = pd.DataFrame({"corrupted_accuracy": [0.1], "intact_accuracy": [0.2], "test_accuracy": [0.3]})
        lines = LearningDynamicsDisplay({"DM": history}).plot("accuracy").lines_.values()
        assert {line.get_color() for line in lines} == {METHOD_COLORS["DM"]}
        assert len({line.get_linestyle() for line in lines}) == 3
        assert {line.get_label() for line in lines} == {"training, given labels", "training, true labels", "test"}

    def test_methods_have_their_color_and_others_none_of_those(self):
        history = pd.DataFrame({"entropy": [2.0, 1.0]})
        names = ["mine", "DM", "yours", "cross entropy"]
        display = LearningDynamicsDisplay(dict.fromkeys(names, history)).plot("confidence")
        colors = {name: display.lines_[name, "entropy"].get_color() for name in names}
        assert colors["DM"] == METHOD_COLORS["DM"] and colors["cross entropy"] == METHOD_COLORS["cross entropy"]
        assert len(set(colors.values())) == 4

    def test_the_legend_of_several_hides_no_data(self):
        history = pd.DataFrame({"label_proba_clean": [0.1, 0.9], "label_proba_wrong": [0.9, 0.1]})
        display = LearningDynamicsDisplay({"A": history, "B": history}).plot()
        display.figure_.canvas.draw()
        legend = display.ax_.get_legend().get_window_extent()
        assert legend.y1 < display.ax_.get_window_extent().y0
        assert legend.y0 >= 0  # the figure made room for it

    def test_a_plain_history_shows_what_it_has(self, noisy):
        model = DMClassifier(max_epochs=2, random_state=0).fit(*noisy[:2])
        display = LearningDynamicsDisplay.from_estimator(model).plot("accuracy")
        assert {column for _, column in display.lines_} == {"train_accuracy"}

    def test_what_was_measured_on_test_rows_hides_nothing_else(self):
        columns = ["train_accuracy", "valid_accuracy", "test_accuracy"]
        history = pd.DataFrame({name: [0.5, 0.6] for name in columns})
        display = LearningDynamicsDisplay({"net": history}).plot("accuracy")
        assert [column for _, column in display.lines_] == columns

    def test_missing_columns_and_unknown_quantities_are_named(self):
        display = LearningDynamicsDisplay({"x": pd.DataFrame({"train_loss": [1.0]})})
        with pytest.raises(ValueError, match=r"histories must hold one of .*LearningDynamics\(y_clean\).*, got"):
            display.plot("wrong_labels")
        with pytest.raises(ValueError, match=r"quantity must be one of .* got 'loss'"):
            display.plot("loss")


def test_of_a_pipeline_it_is_the_last_step(noisy):
    pipeline = make_pipeline(StandardScaler(), DMClassifier(max_epochs=2, random_state=0)).fit(*noisy[:2])
    for display in (
        LearningDynamicsDisplay.from_estimator(pipeline),
        LearningDynamicsDisplay.from_estimators({"DMClassifier": pipeline}),
    ):
        pd.testing.assert_frame_equal(display.histories["DMClassifier"], pipeline[-1].history_)


def test_classifiers_without_names_are_refused(noisy):
    model = DMClassifier(max_epochs=1).fit(*noisy[:2])
    with pytest.raises(TypeError, match="estimators must be a dict of fitted classifiers by name, got list"):
        LearningDynamicsDisplay.from_estimators([model])


@pytest.mark.parametrize("option", [{"label": "mine"}, {"ls": ":"}, {"c": "red"}, {"linewidth": 3}], ids=str)
def test_options_of_a_line_win_over_defaults_by_any_of_their_names(option):
    history = pd.DataFrame({"entropy": [0.3, 0.2]})
    (line,) = LearningDynamicsDisplay({"DM": history}).plot("confidence", **option).lines_.values()
    key, value = next(iter(option.items()))
    assert plt.getp(line, key) == value


@pytest.mark.parametrize("histories", [None, [pd.DataFrame()], pd.DataFrame({"entropy": [1]}), {"a": [1]}], ids=str)
def test_histories_have_names(histories):
    with pytest.raises(TypeError, match="histories must be a dict of history_ of classifiers by name, got"):
        LearningDynamicsDisplay(histories)


def test_what_has_no_epochs_is_refused_by_its_name(noisy):
    X, y, _ = noisy
    search = GridSearchCV(DMClassifier(max_epochs=1, random_state=0), {"lam": [0]}, cv=2).fit(X, y)
    with pytest.raises(TypeError, match=r"history_ of epochs, got GridSearchCV\. Its best_estimator_ may\."):
        LearningDynamicsDisplay.from_estimator(search)
    LearningDynamicsDisplay.from_estimator(search.best_estimator_)
    for call in (
        LearningDynamicsDisplay.from_estimator,
        lambda model: LearningDynamicsDisplay.from_estimators({"a": model}),
    ):
        with pytest.raises(TypeError, match=r"estimator must have a history_ of epochs, got GaussianNB\."):
            call(make_pipeline(StandardScaler(), GaussianNB()).fit(X, y))
        with pytest.raises(NotFittedError):
            call(DMClassifier())
