"""The README as a registry shows it, which pyproject.toml can't say: there, links relative to a checkout lead nowhere.

They are led to the address that `[project.urls]` of pyproject.toml has as `Source`, to the files of the version's tag;
while it has none, they stay as they are.
"""

import re
import tomllib
import warnings
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).resolve().parent


def with_absolute_links(text, source, tag):
    """A page of Markdown whose links and pictures lead to `source`, spelled as GitHub and GitLab do."""

    def absolute(match):
        start, link = match.groups()
        if re.match(r"\w+:", link):
            return match[0]
        kind = "raw" if start.startswith("!") else "blob"
        path = f"README.md{link}" if link.startswith("#") else link
        return f"{start}({source.rstrip('/')}/{kind}/{tag}/{path})"

    parts = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    parts[::2] = (re.sub(r"(!?\[[^\]]*\])\(([^)\s]+)\)", absolute, part) for part in parts[::2])
    return "".join(parts)


def long_description():
    """The README, for a registry where the project has an address."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"].get("urls", {})
    if "Source" not in urls:
        warnings.warn("[project.urls] has no Source: a registry would show the README's links broken", stacklevel=2)
        return text
    version = (ROOT / "sklabelnoise" / "_foundation" / "_version.py").read_text(encoding="utf-8")
    return with_absolute_links(text, urls["Source"], "v" + re.search(r'__version__ = "(.+)"', version)[1])


if __name__ == "__main__":
    setup(long_description=long_description(), long_description_content_type="text/markdown")
