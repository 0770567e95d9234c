"""Which format a file has, by the suffix of its name; and how text that needs no parser is read.

Any other suffix is plain text, where the user's globs ask for it. Pure.
"""

from collections.abc import Callable, Mapping

from daemon.collecting.markdown_text import read_markdown
from daemon.collecting.org_text import read_org
from daemon.collecting.rst_text import read_rst

LightReader = Callable[[str], tuple[str, dict[str, str]]]

# Read in the service: text with a few rules about its lines.
LIGHT: Mapping[str, LightReader] = {
    "md": read_markdown,
    "markdown": read_markdown,
    "org": read_org,
    "rst": read_rst,
}

# Read in the child, by formats of `daemon.extracting.formats`.
EXTRACTED: Mapping[str, str] = {
    "html": "html",
    "htm": "html",
    "xhtml": "html",
    "docx": "docx",
    "odt": "odt",
    "pdf": "pdf",
    "epub": "epub",
    "ipynb": "notebook",
    "tex": "latex",
    "latex": "latex",
}

# Formats that hold pictures beside the text, so that the size of the file says little of it.
WITH_PICTURES = frozenset({"docx", "odt", "pdf", "epub", "notebook", "html"})
# Formats whose comments may say `nightloom: off`, and lose them when the text is taken out.
WITH_COMMENTS = frozenset({"html", "latex"})


def suffix_of(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[2].lower()
