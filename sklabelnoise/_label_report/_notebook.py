"""A report in a notebook: figures and the worst ten labels, in one piece of HTML."""

import html

from sklabelnoise._label_report._evidence import codes_of
from sklabelnoise._label_report._speaking_values import shortened
from sklabelnoise._label_report._statement import rate_as_figure, statement
from sklabelnoise._label_report._views import view_of_report

_N_ROWS = 10
_MAX_LENGTH = 160  # characters of what is shown of a row
_LABELS = ("given_label", "suggested_label")
_CELL = "padding:.25em .6em;text-align:left;vertical-align:middle;border-bottom:1px solid #8884;overflow-wrap:anywhere;"


def summary_html(report):
    """The report as a fragment of HTML; everything from the data is escaped."""
    figure, interval = rate_as_figure(report)
    figures = [
        ("rows", f"{len(report.y):,}", ""),
        ("labels to doubt", f"{len(report.issues):,}", ""),
        ("noise rate", figure, interval),
        ("classes", f"{len(report.classes):,}", ""),
    ]
    head = "".join(
        f'<div><div style="opacity:.7;font-size:.85em">{name}</div><div style="font-size:1.4em">{value}</div>'
        f'<div style="opacity:.7;font-size:.85em">{note}</div></div>'
        for name, value, note in figures
    )
    return (
        '<div style="max-width:60em"><div style="display:flex;flex-wrap:wrap;gap:2em;margin:.5em 0">'
        f"{head}</div><p>{_escaped(statement(report))}</p>{_worst(report)}</div>"
    )


def _worst(report):
    issues = report.issues.head(_N_ROWS)
    if issues.empty:
        return ""
    view = view_of_report(report, image_size=64)
    try:
        contents = view.brief(issues["row"].to_numpy(), *(codes_of(issues[name], report.classes) for name in _LABELS))
    except ImportError:  # pillow is optional
        contents = [""] * len(issues)
    names = ["row", *(["id"] if report.ids is not None else []), "given", "suggested", "quality", "content"]
    header = "".join(f'<th scope="col" style="{_CELL}">{name}</th>' for name in names)
    rows = []
    for issue, content in zip(issues.to_dict("records"), contents, strict=True):
        cells = [issue["row"], *([issue["id"]] if report.ids is not None else [])]
        cells += [issue["given_label"], issue["suggested_label"], f"{issue['quality']:.4f}"]
        if isinstance(content, str) and content.startswith("data:image/"):
            shown = f'<img alt="row {issue["row"]}" src="{_escaped(content)}" style="max-height:64px">'
        else:
            line = view.line(content) if content else ""
            shown = _escaped(shortened(" ".join(line.split()), _MAX_LENGTH))
        cells = "".join(f'<td dir="auto" style="{_CELL}">{_escaped(cell)}</td>' for cell in cells)
        rows.append(f'<tr>{cells}<td dir="auto" style="{_CELL}min-width:14em;">{shown}</td></tr>')
    body = "".join(rows)
    return f'<table style="border-collapse:collapse"><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>'


def _escaped(value):
    text = str(value).encode("utf-8", "replace").decode()  # lone surrogates cannot be sent to a browser
    return html.escape(text)
