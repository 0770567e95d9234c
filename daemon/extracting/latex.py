"""LaTeX: the text of a document's body, mathematics as it is written.

Preamble, comments, pictures, labels, citations and bibliographies are left out. No other file is
read, whatever `\\input` names.
"""

import logging
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from pylatexenc import latex2text, latexwalker, macrospec

from daemon.collecting.decoding import decode
from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import Unreadable
from daemon.extracting.extracted import Extracted, Facts
from daemon.extracting.paragraphs import Paragraphs, about, of_worth

_BODY = re.compile(r"\\begin\s*\{document\}(.*?)(?:\\end\s*\{document\}|\Z)", re.DOTALL)
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%[^\n]*\n?[ \t]*")
_TITLE = re.compile(r"\\title\s*(?:\[[^\]]*\])?\s*\{((?:[^{}]|\{[^{}]{0,200}\}){1,500})\}")
_SHOWN = re.compile(r"\\\[.*?\\\]|\$\$.*?\$\$", re.DOTALL)
_ALONE = re.compile(r"\s+([.,;])(?=\s|$)")  # where a citation stood before it

_SECTIONS = {"part": 1, "chapter": 1, "section": 2, "subsection": 3, "subsubsection": 4} | {
    "paragraph": 5,
    "subparagraph": 6,
    "addchap": 1,
    "addsec": 2,
}
_GONE_MACROS = (
    *("label", "cite", "citep", "citet", "parencite", "textcite", "autocite", "nocite", "ref"),
    *("pageref", "eqref", "autoref", "cref", "Cref", "includegraphics", "bibliography"),
    *("bibliographystyle", "printbibliography", "index", "glossary", "input", "include", "vspace"),
    *("hspace", "pagestyle", "thispagestyle", "setlength", "addtolength", "setcounter"),
    *("hypersetup", "usepackage", "newcommand", "renewcommand", "maketitle", "tableofcontents"),
    *("listoffigures", "listoftables", "phantomsection", "addcontentsline", "date", "author"),
    "title",
)  # fmt: skip
_GONE_ENVIRONMENTS = (
    *("thebibliography", "tikzpicture", "comment", "lstlisting", "verbatim", "minted"),
    *("filecontents", "picture", "pspicture", "algorithmic"),
)  # fmt: skip


def extract(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    source = decode(file.read())
    if isinstance(source, SkipReason):
        raise Unreadable(SkipReason.NO_TEXT if source is SkipReason.EMPTY else SkipReason.DAMAGED)
    text = Paragraphs(facts.most_bytes)
    for paragraph in re.split(r"\n[ \t]*\n", plain_text(source)):
        words = " ".join(_ALONE.sub(r"\1", paragraph).split())
        if words.startswith("- "):
            text.item(words[2:])
        else:
            text.add(paragraph if _SHOWN.search(paragraph) else words)
    title = _TITLE.search(source)
    known = about(title=_without_markup(title[1]) if title else None, format="latex")
    yield Extracted(text=of_worth(text.text()), about=known)


def plain_text(source: str) -> str:
    """Of the body, or of all where there is none, as of a chapter."""
    logging.getLogger("pylatexenc").setLevel(logging.CRITICAL)  # its messages quote the text
    source = _COMMENT.sub(r"\1", source)
    body = _BODY.search(source)
    walker = latexwalker.LatexWalker(
        body[1] if body else source, latex_context=_READS, tolerant_parsing=True
    )
    return str(_SAYS.nodelist_to_text(walker.get_latex_nodes()[0]))


def _without_markup(source: str) -> str:
    return " ".join(plain_text(source).split())


def _reads() -> Any:
    """Which arguments a macro takes."""
    known = latexwalker.get_default_latex_context_db()
    known.add_context_category(
        "ours",
        prepend=True,
        macros=[
            *(macrospec.std_macro(name, "*[{") for name in _SECTIONS),
            *(macrospec.std_macro(name, "*[[{") for name in _GONE_MACROS if "cite" in name),
            *(macrospec.std_macro(name, "{{") for name in ("href", "setlength", "addtolength")),
        ],
    )
    return known


def _says() -> latex2text.LatexNodes2Text:
    """What a macro reads as."""
    known = latex2text.get_default_latex_context_db()
    known.add_context_category(
        "ours",
        prepend=True,
        macros=[
            *(latex2text.MacroTextSpec(name, _heading) for name in _SECTIONS),
            *(latex2text.MacroTextSpec(name, "") for name in _GONE_MACROS),
            latex2text.MacroTextSpec("item", "\n\n- "),
            latex2text.MacroTextSpec("href", _second),
            latex2text.MacroTextSpec("footnote", _in_brackets),
        ],
        environments=[
            *(latex2text.EnvironmentTextSpec(name, discard=True) for name in _GONE_ENVIRONMENTS),
            *(
                latex2text.EnvironmentTextSpec(name, "\n\n%s\n\n")
                for name in ("itemize", "enumerate", "description", "quote", "quotation", "verse")
            ),
        ],
    )
    return latex2text.LatexNodes2Text(
        math_mode="verbatim", keep_comments=False, strict_latex_spaces=False, latex_context=known
    )


def _heading(node: Any, l2tobj: Any) -> str:
    return f"\n\n{'#' * _SECTIONS[node.macroname]} {_last_argument(node, l2tobj)}\n\n"


def _second(node: Any, l2tobj: Any) -> str:
    return _last_argument(node, l2tobj)


def _in_brackets(node: Any, l2tobj: Any) -> str:
    return f" ({_last_argument(node, l2tobj)})"


def _last_argument(node: Any, l2tobj: Any) -> str:
    arguments = node.nodeargd.argnlist if node.nodeargd is not None else ()
    return " ".join(l2tobj.nodelist_to_text(arguments[-1:]).split()) if arguments else ""


_READS, _SAYS = _reads(), _says()
