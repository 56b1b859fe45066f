"""The pages of a guide lead only to what it holds: a build warns of each link and picture that leads nowhere.

Sphinx knows its own references. It does not look at links written as addresses (the target of a figure), at what a
theme or an extension writes, nor at pictures and styles in the finished pages.
"""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """What a page can be entered at (`anchors`), and what it leads to (`links`)."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        self.links |= {values[name] for name in ("href", "src") if values.get(name)}
        for candidate in (values.get("srcset") or "").split(","):
            self.links |= set(candidate.split()[:1])


def broken_links(folder):
    """Pairs (page, link) of the links inside of `folder` that lead to no file, or to no place in its page."""
    folder = Path(folder).resolve()
    written = (
        path for path in sorted(folder.rglob("*.html")) if "_static" not in path.parts
    )  # a theme has templates there
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in written}
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if not target.is_file() or (anchor and target in pages and anchor not in pages[target].anchors):
                yield path.relative_to(folder).as_posix(), link


def external_links(root):
    """What the pages of Markdown of a checkout lead to elsewhere."""
    texts = [*root.glob("*.md"), *(path for name in ("benchmarks", "examples") for path in (root / name).rglob("*.md"))]
    return sorted({link for path in texts for link in re.findall(r"\]\((https?://[^)\s]+)\)", path.read_text("utf-8"))})


def setup(app):
    """Registers both with Sphinx: warnings of pages of HTML, and the READMEs' addresses for `-b linkcheck`."""
    from sphinx.util import logging

    def check_pages(app, exception):
        if exception is None and app.builder.format == "html":
            for page, link in broken_links(app.outdir):
                logging.getLogger(__name__).warning("%s leads nowhere: %s", page, link, type="links")

    def add_addresses(app, docname, source):
        if app.builder.name == "linkcheck" and docname == app.config.root_doc:
            source[0] += "".join(f"\n\n{link}" for link in external_links(Path(app.srcdir).parent)) + "\n"

    app.connect("build-finished", check_pages)
    app.connect("source-read", add_addresses)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
