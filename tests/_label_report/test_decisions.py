"""Decisions: five kinds, several reviewers, files that a spreadsheet saved, and what cannot be meant."""

import io
import re

import numpy as np
import pandas as pd
import pytest

from sklabelnoise._label_report._decisions import class_names
from sklabelnoise.audit import LabelReport

CLASSES = ["cat", "cow", "dog"]


def report_of(classes=CLASSES, n=30):
    """A report with every third label in doubt."""
    y = np.arange(n) % 3
    proba = np.full((n, 3), 0.05)
    proba[np.arange(n), np.where(np.arange(n) % 9 < 3, (y + 1) % 3, y)] = 0.9
    return LabelReport(np.asarray(classes)[y], proba, classes=classes, in_sample=True)


@pytest.fixture
def report():
    return report_of()


def page_file(report, decisions, **more):
    """What the page downloads: decisions of the first rows."""
    head = report.issues.head(len(decisions))
    frame = pd.DataFrame(
        {
            "report": report.fingerprint,
            "row": head["row"],
            "given_label": head["given_label"],
            "suggested_label": head["suggested_label"],
            "decision": decisions,
            "label": "",
            "comment": "",
            "reviewer": "",
        }
    )
    return frame.assign(**more)


def csv(frame, **kwargs):
    return io.StringIO(frame.to_csv(index=False, **kwargs))


class TestKinds:
    def test_labels_rows_and_weights_follow(self, report):
        rows = report.issues["row"].to_numpy()
        file = page_file(report, ["accept", "reject", "relabel", "unsure", "remove"], label=["", "", "cow", "", ""])
        y, keep, weight = report.apply(csv(file), return_rows=True)
        expected = report.y.copy()
        expected[rows[0]], expected[rows[2]] = report.issues["suggested_label"].iloc[0], "cow"
        np.testing.assert_array_equal(y, expected)
        assert y.dtype == report.y.dtype
        np.testing.assert_array_equal(np.flatnonzero(~keep), [rows[4]])
        assert weight[rows[3]] == 0.5 and weight[rows[4]] == 0 and (np.delete(weight, rows[[3, 4]]) == 1).all()
        assert report.apply(csv(file), return_rows=True, unsure_weight=0.2)[2][rows[3]] == 0.2

    @pytest.mark.parametrize("decision", ["unsure", "remove"])
    def test_labels_alone_are_not_all_of_it(self, report, decision):
        with pytest.warns(UserWarning, match="return_rows=True returns which rows to keep"):
            report.apply(csv(page_file(report, [decision])))

    def test_comments_without_a_decision_decide_nothing(self, report):
        file = page_file(report, ["", "accept"], comment=["hm", ""])
        assert np.flatnonzero(report.apply(csv(file)) != report.y).tolist() == [report.issues["row"].iloc[1]]

    @pytest.mark.parametrize("weight", [-0.1, 1.5])
    def test_a_weight_is_a_share(self, report, weight):
        with pytest.raises(ValueError, match=f"unsure_weight must be from 0 to 1, got {weight}"):
            report.apply(csv(page_file(report, ["unsure"])), unsure_weight=weight)

    @pytest.mark.parametrize("label", ["", "horse", np.nan])
    def test_a_row_to_relabel_needs_a_class(self, report, label):
        with pytest.raises(ValueError, match=r"A row to relabel must have one of the classes \['cat', 'cow', 'dog'\]"):
            report.apply(csv(page_file(report, ["relabel"], label=[label])))


@pytest.mark.parametrize("form", ["{:,}", "{:_}"], ids=["1,000", "1.000"])
def test_a_spreadsheet_may_put_marks_between_thousands(form):
    """1,000 was read as row 1, and the decision went there."""
    report = report_of(n=3001)
    file = page_file(report, ["accept"] * len(report.issues))
    frame = file.assign(row=[form.format(row).replace("_", ".") for row in file["row"]])
    assert {1, 1000} & set(report.issues["row"]) == {1, 1000}
    clear = ~file["row"].isin([1000, 2000]).to_numpy()  # as decimals 1 and 2 these are rows as well
    np.testing.assert_array_equal(report.apply(csv(frame[clear])), report.apply(csv(file[clear])))
    with pytest.raises(ValueError, match=r"must be about rows that are issues of this report, got '1[.,]000'"):
        report.apply(csv(frame[frame["row"].isin(["1,000", "1.000"])]))


class TestReviewers:
    def test_files_that_agree_are_one(self, report):
        first, second = page_file(report, ["accept", "reject"]), page_file(report, ["accept", "reject", "accept"])
        y = report.apply([csv(first), csv(second)])
        np.testing.assert_array_equal(y, report.apply(csv(second)))

    def test_files_that_do_not_are_an_error_that_says_where(self, report):
        rows = report.issues["row"]
        first = page_file(report, ["accept", "accept", "relabel"], label=["", "", "cow"])
        second = page_file(report, ["accept", "remove", "relabel"], label=["", "", "dog"])
        message = f"must name a row once, got {rows.iloc[1]} as accept and as remove \\(1 more rows are contradicted"
        with pytest.raises(ValueError, match=message):
            report.apply([csv(first), csv(second)])

    @pytest.mark.parametrize("word, role", [("accept", "suggested_label"), ("reject", "given_label")])
    def test_to_choose_the_suggestion_or_the_given_label_by_name_is_to_accept_or_to_keep_it(self, report, word, role):
        """As the page reads it."""
        by_word = page_file(report, [word])
        by_name = page_file(report, ["relabel"], label=[str(report.issues[role].iloc[0])])
        y = report.apply([csv(by_word), csv(by_name), by_name.astype("category")])
        np.testing.assert_array_equal(y, report.apply(csv(by_word)))

    @pytest.mark.parametrize("other", ["unsure", "remove"])
    def test_decisions_that_leave_a_row_the_same_label_may_differ(self, report, other):
        with pytest.raises(ValueError, match=f"as reject and as {other}"):
            report.apply([csv(page_file(report, [decision])) for decision in ("reject", other)])

    def test_a_path_a_file_and_a_frame(self, report, tmp_path):
        file = page_file(report, ["accept"])
        path = tmp_path / "decisions.csv"
        file.to_csv(path, index=False)
        for source in (path, str(path), csv(file), file, [path, file]):
            assert (report.apply(source) != report.y).sum() == 1


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT], ids=repr)
def test_a_cell_that_is_missing_in_any_way_is_empty(report, missing):
    file = page_file(report, ["relabel", "accept", "accept"], label=["cow", "", ""]).astype(object)
    expected = report.apply(file.head(1))
    file.iloc[1:, file.columns.get_indexer(["decision", "label", "comment"])] = missing
    np.testing.assert_array_equal(report.apply(file), expected)
    message = f"must name the report|belong to another data set or report.*got {re.escape(repr(missing))}"
    with pytest.raises(ValueError, match=message):
        report.apply(file.head(1).assign(report=[missing]))


@pytest.mark.parametrize("backend", ["numpy_nullable", "pyarrow"])
def test_types_that_pandas_chooses_for_decisions_change_nothing(report, backend):
    pytest.importorskip("pyarrow")
    file = page_file(report, ["accept", None, "relabel", "remove"], label=[None, None, "cow", None])
    converted = file.convert_dtypes(dtype_backend=backend)
    for one, other in zip(report.apply(converted, return_rows=True), report.apply(file, return_rows=True), strict=True):
        np.testing.assert_array_equal(one, other)


def test_decisions_may_be_categories(report):
    file = page_file(report, ["relabel"], label=report.issues["suggested_label"].iloc[:1].tolist())
    np.testing.assert_array_equal(report.apply(file.astype("category")), report.apply(file))


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_decisions_may_be_a_frame_of_any_library(report, library, tmp_path):
    module = pytest.importorskip(library)
    file = page_file(report, ["accept", None, "relabel", "remove"], label=[None, None, "cow", None])
    file = file.assign(comment="seen", reviewer="me")  # pandas 2.2 reads no columns of pyarrow without a value
    file.to_csv(tmp_path / "decisions.csv", index=False)
    if library == "polars":
        frame = module.read_csv(tmp_path / "decisions.csv")
    else:
        frame = pytest.importorskip("pyarrow.csv").read_csv(tmp_path / "decisions.csv")
    expected = report.apply(file, return_rows=True)
    for source in (frame, [frame, file]):
        for one, other in zip(report.apply(source, return_rows=True), expected, strict=True):
            np.testing.assert_array_equal(one, other)


def with_rows(form):
    return lambda file: file.assign(row=[form.format(row) for row in file["row"]])


def as_number(file):
    return file.assign(report="1.23457E+15")


SPREADSHEETS = {
    "semicolons": (lambda file: file, {"sep": ";"}, "utf-8"),
    "tabs in UTF-16": (lambda file: file, {"sep": "\t"}, "utf-16"),
    "rows as 7.0": (with_rows("{}.0"), {}, "utf-8"),
    "rows as 7,0": (with_rows("{},0"), {"sep": ";"}, "utf-8"),
    "rows as 7.00E+00": (lambda file: file.assign(row=[f"{row:.5E}" for row in file["row"]]), {}, "utf-8"),
    "the report as a number": (as_number, {"sep": ";"}, "utf-8"),
    "a byte order mark": (lambda file: file, {}, "utf-8-sig"),
    "old Windows letters": (lambda file: file.assign(comment="größer"), {"sep": ";"}, "cp1252"),
    "capital letters and spaces": (
        lambda file: file.assign(decision=file["decision"].str.upper() + " ").rename(columns=str.upper), {}, "utf-8"
    ),
    "empty lines and columns": (
        lambda file: pd.concat([file.assign(empty=""), pd.DataFrame({"row": [""]})]).fillna(""), {"sep": ";"}, "utf-8"
    ),
    "another order": (lambda file: file.iloc[::-1, ::-1], {}, "utf-8"),
}  # fmt: skip


class TestSpreadsheets:
    @pytest.mark.parametrize("name", SPREADSHEETS)
    def test_what_they_save_is_read(self, report, tmp_path, name):
        change, how, encoding = SPREADSHEETS[name]
        file = page_file(report, ["accept", "reject", "accept"])
        path = tmp_path / "saved.csv"
        path.write_bytes(change(file).to_csv(index=False, **how).encode(encoding))
        np.testing.assert_array_equal(report.apply(path), report.apply(file))

    def test_a_line_that_names_the_separator_is_skipped(self, report):
        file = page_file(report, ["accept"])
        text = "sep=;\n" + file.to_csv(index=False, sep=";")
        np.testing.assert_array_equal(report.apply(io.StringIO(text)), report.apply(file))

    @pytest.mark.parametrize(
        ("classes", "spoiled"),
        [
            ([1, 2, 10], {"1": "1.0", "2": "2.0", "10": "10.0"}),
            (["01", "02", "10"], {"01": "1", "02": "2", "10": "10"}),
            ([0.5, 1.5, 2.5], {"0.5": "0,5", "1.5": "1,5", "2.5": "2,5"}),
            (["True", "False", "maybe"], {"True": "TRUE", "False": "FALSE", "maybe": "maybe"}),
        ],
        ids=["floats", "zeros", "commas", "booleans"],
    )
    def test_labels_that_became_numbers_are_known(self, classes, spoiled):
        report = report_of(np.array(classes))
        file = page_file(report, ["accept", "relabel"], label=["", str(classes[2])]).astype(str)
        text = file.replace({name: spoiled for name in ("given_label", "suggested_label", "label")})
        y = report.apply(csv(text, sep=";"))
        assert y[report.issues["row"].iloc[0]] == report.issues["suggested_label"].iloc[0]
        assert y[report.issues["row"].iloc[1]] == classes[2]

    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    def test_fractions_are_written_as_short_as_their_type_allows(self, dtype):
        report = report_of(np.array([0.1, 0.2, 0.7], dtype=dtype))
        decided = report.issues.assign(decision="accept")
        np.testing.assert_array_equal(report.apply(csv(decided)), report.apply(decided))
        assert class_names(report.classes) == ["0.1", "0.2", "0.7"]

    def test_no_fingerprint_can_be_read_as_a_number(self, report):
        with pytest.raises(ValueError, match="could not convert"):
            float(report.fingerprint)

    def test_a_number_in_place_of_the_report_is_not_enough(self, report):
        file = as_number(page_file(report, ["accept"]))[["report", "row", "decision"]]
        with pytest.raises(
            ValueError, match=r"name the report 'r\w+', got the number '1.23457E\+15', as a spreadsheet"
        ):
            report.apply(csv(file))

    def test_a_number_does_not_hide_that_the_data_are_others(self, report):
        file = as_number(page_file(report, ["accept", "accept"]))
        file.loc[file.index[1], "given_label"] = "horse"
        with pytest.raises(ValueError, match=r"another data set: row \d+ was given '\w+', got 'horse'"):
            report.apply(csv(file))

    def test_a_suggestion_that_was_edited_is_not_accepted_silently(self, report):
        file = page_file(report, ["accept"])
        other = (set(CLASSES) - {file["given_label"].iloc[0], file["suggested_label"].iloc[0]}).pop()
        with pytest.raises(ValueError, match=f'got {other!r}. To choose a class of your own, decide "relabel"'):
            report.apply(csv(file.assign(suggested_label=other)))

    def test_an_empty_file_is_named(self, report):
        with pytest.raises(ValueError, match="must be a CSV file with a header, got an empty file"):
            report.apply(io.StringIO("\ufeff\r\n"))

    def test_lines_of_other_lengths_are_named(self, report):
        with pytest.raises(ValueError, match="must be a CSV file of equally long lines, got"):
            report.apply(io.StringIO("report,row,decision\na,1,accept\na,2,accept,x,y\n"))


class TestNames:
    def relabel(self, classes, label):
        """The code that a written label stands for."""
        report = report_of(np.asarray(classes, dtype=object))
        file = page_file(report, ["relabel"], label=[label])
        source = csv(file) if isinstance(label, str) else file
        return classes.index(report.apply(source)[report.issues["row"].iloc[0]])

    @pytest.mark.parametrize("classes", [[1, "1"], ["a", "b"], [2, 2.5], [True, "True"]])
    def test_different_classes_have_different_names(self, classes):
        assert len(set(class_names(np.array(classes, dtype=object)))) == 2

    @pytest.mark.parametrize("name", ["NA", "nan", "None", "null", "01", "1e5", "a\nb", "=1+1", "'x'"])
    def test_a_class_of_any_name_is_known_in_a_file(self, name):
        assert self.relabel(["cow", name, "zebra"], name) == 1

    def test_a_class_is_known_as_the_page_writes_it(self):
        assert self.relabel(["cow", "=1+1", "zebra"], "'=1+1") == 1  # no formula
        assert self.relabel(["cow", "a\nb", "zebra"], "a\r\nb") == 1  # as CSV files end their lines

    @pytest.mark.parametrize(("classes", "label", "code"), [
        (["01", "1", "x"], "01", 0), (["01", "1", "x"], "1", 1), (["Cat", "cat", "x"], "cat", 1)
    ])  # fmt: skip
    def test_a_name_that_is_there_as_it_is_written_is_meant(self, classes, label, code):
        assert self.relabel(classes, label) == code

    @pytest.mark.parametrize(("classes", "label"), [
        (["01", "1", "x"], "1.0"), (["Cat", "cat", "x"], "CAT"), ([0, 1, 2], True), ([0, 1, 2], [1])
    ])  # fmt: skip
    def test_what_may_mean_two_classes_or_none_is_refused(self, classes, label):
        with pytest.raises(ValueError, match="A row to relabel must have one of the classes"):
            self.relabel(classes, label)

    def test_a_row_to_relabel_needs_a_column_of_labels(self, report):
        file = page_file(report, ["relabel"])
        with pytest.raises(ValueError, match=r"A row to relabel must have one of the classes .*, got '' in row"):
            report.apply(csv(file.drop(columns="label")))


def test_a_row_is_a_whole_number_of_an_issue(report):
    file = page_file(report, ["accept"])
    for row in (f"{file['row'].iloc[0]}.5", -1, "inf", len(report.y), ""):
        with pytest.raises(ValueError, match=f"must be about rows that are issues of this report, got {str(row)!r}"):
            report.apply(csv(file.assign(row=[row])))


@pytest.mark.parametrize("empty", ["", " ", None, np.nan])
def test_a_decision_without_a_report_belongs_to_none(report, empty):
    with pytest.raises(ValueError, match="belong to another data set or report: this is 'r"):
        report.apply(page_file(report, ["accept"]).assign(report=[empty]))


def test_a_frame_of_decisions_is_left_as_it_is(report):
    file = page_file(report, ["accept", "", "REMOVE"]).rename(columns=str.upper)
    file.index = [3, 3, 1]
    before = file.copy()
    report.apply(file, return_rows=True)
    pd.testing.assert_frame_equal(file, before)


def test_an_older_page_has_no_letter_before_the_fingerprint(report):
    old = page_file(report, ["accept", "reject"]).assign(report=report.fingerprint[1:])
    old = old[["report", "row", "given_label", "suggested_label", "decision"]]
    assert (report.apply(csv(old)) != report.y).sum() == 1


def test_decisions_about_another_report_are_refused(report):
    other = report_of(n=33)
    with pytest.raises(ValueError, match=f"another data set or report: this is .*, got '{other.fingerprint}'"):
        report.apply(csv(page_file(other, ["accept"])))
