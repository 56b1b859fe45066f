"""The review page of a report: one self-contained file."""

import base64
import hashlib
from importlib.resources import files

import jinja2
import numpy as np

from sklabelnoise._label_report._decisions import class_names
from sklabelnoise._label_report._evidence import codes_of
from sklabelnoise._label_report._neighbors import neighbors_of
from sklabelnoise._label_report._statement import rate_as_figure, statement
from sklabelnoise._label_report._table_of_classes import is_predicted
from sklabelnoise._label_report._views import view_of_report

# Parts of the script, in the order in which they are put together: each may use what those before it define.
_SCRIPTS = ("data", "text", "decisions", "exports", "contents", "list", "dialogs", "matrix", "main")
_MAX_MATRIX_CLASSES = 100  # of more classes the matrix shows those that are confused most
_MAX_INTERVAL_CLASSES = 30  # of more classes the matrix has no intervals: they would be most of the page
_MAX_CONFUSIONS = 12
_N_RANKED = 9  # classes of a row with their probabilities, as there are digits
_MAX_CELLS = 400_000  # values of tables that are shown on demand
_MAX_CHARACTERS = 20_000_000  # of texts that are shown on demand


def render_page(report, *, title, max_issues, image_shape, image_size):
    """The page as a string.

    Everything that comes from the data is either escaped by the template engine or handed over as JSON, which the
    script puts into the page as text only. A content security policy allows the page's own script (by its hash) and
    nothing from the network, so that a label could do no harm even if it slipped through.
    """
    folder = files("sklabelnoise._label_report") / "page"
    parts = [(folder / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS]
    script = '"use strict";\n(() => {\n' + "\n".join(parts) + "})();\n"
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string((folder / "page.html.jinja").read_text(encoding="utf-8"))
    shown = report.issues.head(max_issues)
    rate, interval = rate_as_figure(report)
    return template.render(
        title=_writable(title),
        n_rows=len(report.y),
        n_issues=len(report.issues),
        n_shown=len(shown),
        n_classes=len(report.classes),
        rate=rate,
        interval=interval,
        reliability=report.reliability,
        statement=statement(report),
        has_ids=report.ids is not None,
        fingerprint=report.fingerprint,
        data=_data(report, shown, image_shape, image_size),
        style=(folder / "page.css").read_text(encoding="utf-8"),
        script=script,
        # What stands between the tags is hashed, line breaks included.
        script_hash=base64.b64encode(hashlib.sha256(f"\n{script}".encode()).digest()).decode(),
    )


def _writable(text):
    """Text without lone surrogates, which no file can hold."""
    return str(text).encode("utf-8", "replace").decode()


def _data(report, shown, image_shape, image_size):
    """Everything the script of the page needs, ready for JSON."""
    rows = shown["row"].to_numpy()
    given, suggested = (codes_of(shown[f"{role}_label"], report.classes) for role in ("given", "suggested"))
    codes = report.to_cleanlab()["labels"]
    view = view_of_report(report, image_shape=image_shape, image_size=image_size)
    near = neighbors_of(report, rows, given, suggested) if view.kind != "none" else ([[]] * len(rows),) * 2
    others = np.unique([row for lists in near for found in lists for row in found]).astype(np.int64)
    ranked = np.argsort(-report.proba[rows], axis=1, kind="stable")[:, :_N_RANKED]
    issues = zip(
        rows.tolist(),
        [None] * len(rows) if report.ids is None else [str(name) for name in shown["id"].tolist()],
        given.tolist(),
        suggested.tolist(),
        shown["quality"].tolist(),
        shown["margin"].tolist(),
        view.brief(rows, given, suggested),
        [_ranking(report.proba[row], best) for row, best in zip(rows, ranked, strict=True)],
        *near,
        strict=True,
    )
    return {
        "fingerprint": report.fingerprint,
        "names": class_names(report.classes),
        "ids": report.ids is not None,
        "kind": view.kind,
        "columns": view.columns,
        "issues": [list(issue) for issue in issues],
        "others": _others(view, others, codes),
        "full": _on_demand(view, rows, others),
        "matrix": _matrix(report),
        "confusions": _largest_confusions(report.transition_matrix),
    }


def _ranking(proba, best):
    return [[int(code), round(float(proba[code]), 4)] for code in best]


def _others(view, rows, codes):
    """What is seen of rows that are shown beside others; of tables all values are among those on demand."""
    if view.kind == "values":
        return {}
    return dict(zip(rows.tolist(), view.brief(rows, codes[rows], codes[rows]), strict=True))


def _on_demand(view, rows, others):
    """The whole of each row, as far as a page can hold it."""
    full, left = {}, _MAX_CHARACTERS
    everything = np.concatenate([rows, others]) if view.kind == "values" else rows
    if view.kind == "values" and view.columns and len(everything):
        view.keep_columns(max(1, _MAX_CELLS // len(everything)))
    for row in everything.tolist():
        whole = view.full(row)
        if whole is not None:
            left -= len(whole) if isinstance(whole, str) else 0
            if left < 0:
                break
            full[row] = whole
    return full


def _matrix(report):
    known = is_predicted(report)
    T = np.where(known[:, None], report.transition_matrix, 0)
    n_classes = len(T)
    off = np.where(np.eye(n_classes, dtype=bool), 0, T)
    most = np.argsort(-(off + off.T).sum(axis=1), kind="stable")[:_MAX_MATRIX_CLASSES]
    classes = np.sort(most)
    chosen = np.ix_(classes, classes)
    low = high = None
    if n_classes <= _MAX_INTERVAL_CLASSES and report.transition_matrix_interval is not None:
        low, high = (ends[chosen].round(3).tolist() for ends in report.transition_matrix_interval)
    notes = {
        f"The {len(classes)} of {n_classes} classes that are confused most.": len(classes) < n_classes,
        "The row of a class that nothing is predicted as is empty.": not known[classes].all(),
    }
    note = " ".join(said for said, holds in notes.items() if holds)
    return {"classes": classes.tolist(), "shares": T[chosen].round(3).tolist(), "low": low, "high": high, "note": note}


def _largest_confusions(T):
    off = np.where(np.eye(len(T), dtype=bool), 0, T)
    largest = np.argsort(-off, axis=None, kind="stable")[:_MAX_CONFUSIONS]
    pairs = [divmod(int(k), len(T)) for k in largest]
    return [[i, j, round(float(off[i, j]), 4)] for i, j in pairs if off[i, j] >= 0.0005]
