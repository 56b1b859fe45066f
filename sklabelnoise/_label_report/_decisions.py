"""Decisions of reviewers: reading their files, also after a spreadsheet, and what follows for each row."""

import hashlib
import io
import os
import re
from contextlib import suppress

import numpy as np
import pandas as pd

from sklabelnoise._foundation._frames import pandas_frame
from sklabelnoise._foundation._paths import local_path
from sklabelnoise._label_report._evidence import codes_of

ACCEPT, REJECT, RELABEL, UNSURE, REMOVE = DECISIONS = ("accept", "reject", "relabel", "unsure", "remove")

_NUMBER = re.compile(r"[+-]?[\d.,]+(e[+-]?\d+)?|[+-]?inf(inity)?|nan", re.IGNORECASE)
_THOUSANDS = re.compile(r"\d{1,3}([.,]\d{3})+")
_SPREADSHEETS = (".xlsx", ".xls", ".ods")


def class_names(classes):
    """What people read of each class: its text, or its representation where two classes have the same text."""
    classes = np.asarray(classes)
    if classes.dtype.kind in "mM":  # numbers of nanoseconds otherwise; days without a time where there is none
        return pd.Series(classes).astype(str).tolist()
    values = classes.tolist()
    # A number of single precision has more digits as one of Python's: 0.2 would be 0.20000000298023224.
    texts = [str(value) for value in (classes if classes.dtype.kind == "f" else values)]
    return [repr(value) if texts.count(text) > 1 else text for value, text in zip(values, texts, strict=True)]


def fingerprint_of(codes, issues, classes):
    """What decisions call the report they are about: the same for the same labels and suggestions only."""
    digest = hashlib.sha256(repr(classes.tolist()).encode("utf-8", "surrogatepass"))
    digest.update(codes.astype("<i8").tobytes())
    digest.update(issues["row"].to_numpy("<i8").tobytes())
    digest.update(codes_of(issues["suggested_label"], classes).astype("<i8").tobytes())
    return f"r{digest.hexdigest()[:16]}"


def decided_rows(decisions, report):
    """Decisions, checked against a report.

    Parameters
    ----------
    decisions : source or list of sources
        As `LabelReport.apply` takes them.
    report : LabelReport

    Returns
    -------
    decided : DataFrame
        One row a decision, in the order of the file: ``row``, ``decision`` and ``label``, the code of the class the row
        is to have (the given one for what is not changed).
    """
    sources = decisions if isinstance(decisions, list | tuple) else [decisions]
    if not sources:
        raise ValueError(f"decisions must be a file, a frame, or at least one of them in a list, got {decisions!r}.")
    checked = [_check(_read(source), report) for source in sources]
    decided = pd.concat(checked, ignore_index=True).drop_duplicates(["row", "decision", "label"])
    twice = decided["row"].duplicated(keep=False)
    if twice.any():
        row = int(decided["row"][twice].iloc[0])
        several = decided[decided["row"] == row]
        n_rows = decided["row"][twice].nunique()
        more = f" ({n_rows - 1} more rows are contradicted)" if n_rows > 1 else ""
        names = class_names(report.classes)
        words = [f"{d} {names[k]!r}" if d == RELABEL else d for d, k in several[["decision", "label"]].to_numpy()]
        raise ValueError(f"decisions must name a row once, got {row} as {' and as '.join(words)}{more}.")
    return decided


def _read(source):
    """A file, path or frame as a frame of text or of whatever the caller has in it."""
    if hasattr(source, "read"):
        content = source.read()
    else:
        if (frame := pandas_frame(source, "decisions")) is not None:
            return frame.reset_index(drop=True)
        if not isinstance(source, str | os.PathLike):
            raise TypeError(f"decisions must be a file, a path, or a frame, got {type(source).__name__}.")
        path = local_path(source, "decisions")
        if path.suffix.lower() in _SPREADSHEETS:
            return pd.read_excel(path, dtype=str, keep_default_na=False)
        content = path.read_bytes()
    text = content if isinstance(content, str) else _decode(content)
    lines = text.lstrip("\ufeff").splitlines(keepends=True)
    # Excel may write the separator into a line of its own.
    if lines and lines[0].lower().startswith("sep="):
        del lines[0]
    if not "".join(lines).strip():
        raise ValueError("decisions must be a CSV file with a header, got an empty file.")
    separator = max(",;\t", key=lines[0].count)
    try:
        return pd.read_csv(io.StringIO("".join(lines)), sep=separator, dtype=str, keep_default_na=False)
    except pd.errors.ParserError as reason:
        raise ValueError(f"decisions must be a CSV file of equally long lines, got {reason}.") from reason


def _decode(content):
    """Text of a file: UTF-8 as the page writes it, or what spreadsheets make of it."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _check(decisions, report):
    decisions = decisions.rename(columns=lambda name: str(name).strip().lower() if isinstance(name, str) else name)
    missing = {"row", "decision"} - set(decisions.columns)
    if missing or not {"report", "given_label"} & set(decisions.columns):
        raise ValueError(
            f"decisions must have the columns row, decision, and report or given_label, got {list(decisions.columns)}."
        )
    decisions = decisions.astype(object)  # what is found of a category is a category as well
    words = decisions["decision"].map(_word)
    decisions = decisions[(words != "").to_numpy()].reset_index(drop=True)
    words = words[words != ""].reset_index(drop=True)
    unknown = ~words.isin(DECISIONS)
    _check_report(decisions, report)
    if unknown.any():
        known = ", ".join(f'"{word}"' for word in DECISIONS[:-1]) + f' or "{DECISIONS[-1]}"'
        raise ValueError(f"A decision must be {known}, got {decisions['decision'][unknown].iloc[0]!r}.")
    issues = set(report.issues["row"].tolist())
    rows = decisions["row"].map(lambda cell: _row_number(cell, issues))
    is_issue = (rows >= 0).to_numpy()
    if not is_issue.all():
        first = decisions["row"][~is_issue].iloc[0]
        raise ValueError(f"decisions must be about rows that are issues of this report, got {first!r}.")
    rows = rows.astype(np.int64).to_numpy()
    suggested = pd.Series(codes_of(report.issues["suggested_label"], report.classes), index=report.issues["row"])
    suggested = suggested.loc[rows].to_numpy()
    given = report.to_cleanlab()["labels"][rows]
    find = _LabelFinder(report.classes)
    _check_given(decisions, given, rows, report, find)
    accepted = (words == ACCEPT).to_numpy()
    _check_suggested(decisions[accepted], suggested[accepted], rows[accepted], report, find)
    label = np.where(accepted, suggested, given)
    for i in np.flatnonzero((words == RELABEL).to_numpy()):
        cell = decisions["label"].iloc[i] if "label" in decisions else ""
        label[i] = find(cell)
        if label[i] < 0:
            raise ValueError(
                f"A row to relabel must have one of the classes {class_names(report.classes)} as its label, "
                f"got {cell!r} in row {rows[i]}."
            )
        words[i] = ACCEPT if label[i] == suggested[i] else REJECT if label[i] == given[i] else RELABEL
    return pd.DataFrame({"row": rows, "decision": words, "label": label})


def _word(cell):
    return "" if _is_empty(cell) else str(cell).strip().lower()


def _is_empty(cell):
    return (np.ndim(cell) == 0 and pd.isna(cell)) or str(cell).strip() == ""  # None, NaN, NA or NaT is missing


def _row_number(cell, rows):
    """Which of some rows a cell means: 7 also as 7.0 or 7,0, and 1234 as 1,234; -1 for none, or if it may be two."""
    text, meant = str(cell).strip(), set()
    with suppress(ValueError):
        number = float(text.replace(",", "."))
        meant |= {int(number)} if number.is_integer() else set()
    if isinstance(cell, str) and _THOUSANDS.fullmatch(text):
        meant.add(int(re.sub(r"\D", "", text)))
    meant &= rows
    return meant.pop() if len(meant) == 1 else -1


def _check_report(decisions, report):
    """Decisions name the report they are about, or (in text that a spreadsheet spoiled) at least its labels."""
    if "report" not in decisions:
        return
    for cell in decisions["report"]:
        if str(cell).strip() in report.fingerprints:
            continue
        # No fingerprint is a number, but those of version 0.1 could be read as one.
        if _is_empty(cell) or not _NUMBER.fullmatch(str(cell).strip()):
            raise ValueError(
                f"decisions belong to another data set or report: this is {report.fingerprint!r}, got {cell!r}."
            )
        if "given_label" not in decisions or "suggested_label" not in decisions:
            raise ValueError(
                f"decisions must name the report {report.fingerprint!r}, got the number {cell!r}, as a spreadsheet "
                "makes it. With the columns given_label and suggested_label they would be recognized all the same."
            )


def _check_given(decisions, codes, rows, report, find):
    if "given_label" not in decisions:
        return
    for cell, code, row in zip(decisions["given_label"], codes, rows, strict=True):
        if find(cell) != code:
            raise ValueError(
                f"decisions belong to another data set: row {row} was given {report.classes.tolist()[code]!r}, got "
                f"{cell!r}."
            )


def _check_suggested(decisions, codes, rows, report, find):
    if "suggested_label" not in decisions:
        return
    for cell, code, row in zip(decisions["suggested_label"], codes, rows, strict=True):
        if find(cell) != code:
            raise ValueError(
                f"decisions belong to another report: the suggestion for row {row} is "
                f"{report.classes.tolist()[code]!r}, got {cell!r}. To choose a class of your own, decide "
                '"relabel" and name it in the column label.'
            )


class _LabelFinder:
    """The code of a class by its value, its name, or what a spreadsheet made of its name; -1 for none."""

    def __init__(self, classes):
        classes = np.asarray(classes)
        self._dtype = classes.dtype
        values = classes.tolist()
        self._by_value = {value: code for code, value in enumerate(values)}
        self._by_name = {_readable(name): code for code, name in enumerate(class_names(classes))}
        self._by_number, self._by_folded = {}, {}
        for code, name in enumerate(class_names(classes)):
            self._by_folded.setdefault(name.strip().casefold(), []).append(code)
            number = _number(name)
            if number is not None:
                self._by_number.setdefault(number, []).append(code)

    def __call__(self, cell):
        if self._dtype.kind in "mM":
            cell = _date(cell, self._dtype)
        try:
            if cell in self._by_value and not isinstance(cell, bool | np.bool_):
                return self._by_value[cell]
        except TypeError:  # not hashable
            return -1
        text = _readable(str(cell))
        # The page puts an apostrophe before what a spreadsheet would take for a formula.
        for spelled in (text, text.removeprefix("'")):
            if spelled in self._by_name:
                return self._by_name[spelled]
        candidates = self._by_folded.get(text.strip().casefold(), [])
        if len(candidates) != 1:
            candidates = self._by_number.get(_number(text), [])
        return candidates[0] if len(candidates) == 1 else -1


def _date(cell, dtype):
    """A date or duration of any library or spelling, as one of some type; the cell itself if it is none."""
    try:
        value = (pd.Timestamp if dtype.kind == "M" else pd.Timedelta)(cell).to_numpy()
    except (TypeError, ValueError):
        return cell
    return value.astype(dtype).tolist() if value.astype(dtype) == value else cell


def _readable(text):
    """As a browser writes it: lone surrogates cannot be written, and CSV readers know one kind of line break."""
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _number(text):
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None
