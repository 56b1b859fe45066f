"""The review page of a report: one self-contained file."""

import base64
import hashlib
from importlib.resources import files

import jinja2
import numpy as np
import pandas as pd

from sklabelnoise.audit._page_content import contents_of

# More classes than this make a matrix that nobody can read; the list of confusions says it then.
_MAX_MATRIX_CLASSES = 25
_MAX_CONFUSIONS = 10


def render_page(report, *, title, max_issues, image_shape):
    """The page as a string.

    Everything that comes from the data is either escaped by the template engine or handed over as JSON, which the
    script puts into the page as text only. A content security policy allows the page's own script (by its hash) and
    nothing from the network, so that a label could do no harm even if it slipped through.
    """
    here = files("sklabelnoise.audit")
    script = here.joinpath("page.js").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string(here.joinpath("page.html.jinja").read_text(encoding="utf-8"))
    shown = report.issues.head(max_issues)
    kind, contents = contents_of(report, shown, image_shape=image_shape)
    names = [str(label) for label in report.classes.tolist()]
    given, suggested = (pd.Index(report.classes).get_indexer(shown[f"{role}_label"]) for role in ("given", "suggested"))
    issues = zip(
        shown["row"].tolist(),
        given.tolist(),
        suggested.tolist(),
        shown["quality"].tolist(),
        shown["margin"].tolist(),
        contents,
        strict=True,
    )
    return template.render(
        title=title,
        report=report,
        n_shown=len(shown),
        names=names,
        matrix=report.transition_matrix.tolist() if len(names) <= _MAX_MATRIX_CLASSES else None,
        confusions=_largest_confusions(report.transition_matrix, names),
        data={"fingerprint": report.fingerprint, "names": names, "kind": kind, "issues": [list(i) for i in issues]},
        style=here.joinpath("page.css").read_text(encoding="utf-8"),
        script=script,
        # What stands between the tags is hashed, line breaks included.
        script_hash=base64.b64encode(hashlib.sha256(f"\n{script}".encode()).digest()).decode(),
    )


def _largest_confusions(T, names):
    off = np.where(np.eye(len(T), dtype=bool), 0, T)
    largest = np.argsort(-off, axis=None, kind="stable")[:_MAX_CONFUSIONS]
    pairs = [divmod(int(k), len(T)) for k in largest]
    return [(names[i], names[j], float(off[i, j])) for i, j in pairs if off[i, j] > 0]
