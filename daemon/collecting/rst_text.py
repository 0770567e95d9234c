"""reStructuredText as it is, but for comments, targets and directives that are no prose. Pure.

Notes, warnings, quotes and the like keep their text; fields on top say what is known.
"""

import re

from daemon.collecting.front_matter import known_facts

_EXPLICIT = re.compile(r"([ \t]*)\.\.(?:[ \t]+(.*))?$")
_DIRECTIVE = re.compile(r"([\w:.+-]+)::(?:[ \t]+(.*))?$")
_FOOTNOTE = re.compile(r"\[[^\]\s]+\][ \t]+\S")
_OPTION = re.compile(r"[ \t]+:[\w -]+:")
_FIELD = re.compile(r":([A-Za-z][\w -]{0,40}):(?:[ \t]+(.*))?$")
MOST_TITLE_LINES = 8
_PROSE = frozenset((
    "admonition", "attention", "caution", "compound", "container", "danger", "epigraph", "error",
    "hint", "highlights", "important", "note", "parsed-literal", "pull-quote", "rubric", "seealso",
    "sidebar", "tip", "topic", "versionadded", "versionchanged", "deprecated", "warning",
))  # fmt: skip
_ADORNMENT = re.compile(r"([^\w\s])\1{2,}$")


def read_rst(text: str) -> tuple[str, dict[str, str]]:
    """The text, and what is known about it."""
    known: dict[str, list[str]] = {}
    kept: list[str] = []
    lines = text.split("\n")
    number, on_top = 0, True
    while number < len(lines):
        line = lines[number]
        number += 1
        explicit = _EXPLICIT.match(line)
        field = _FIELD.match(line) if on_top and _is_below_a_title(kept) else None
        if explicit:
            number = _explicit(explicit, lines, number, kept)
        elif field:
            known.setdefault(field[1].lower(), [field[2] or ""])
        else:
            kept.append(line)
            on_top = on_top and len(kept) < MOST_TITLE_LINES
            if line.rstrip().endswith("::"):  # what stands below is literal
                end = _end_of_block(lines, number, _indent(line))
                kept += lines[number:end]
                number = end
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip("\n") + "\n"
    return text, known_facts(known)


def _is_below_a_title(kept: list[str]) -> bool:
    """Fields are what is known of a document on its very top, or below its title alone."""
    words = [line for line in kept if line.strip()]
    titles = [line for line in words if not _ADORNMENT.match(line)]
    return not words or (len(titles) == 1 and len(words) > 1)


def _explicit(found: "re.Match[str]", lines: list[str], number: int, kept: list[str]) -> int:
    """Keep what is prose in the block that begins so; the number of the line below it."""
    end = _end_of_block(lines, number, len(found[1].expandtabs()))
    words = found[2] or ""
    directive = _DIRECTIVE.match(words)
    if _FOOTNOTE.match(words):
        kept.append(words)
        kept += [line.strip() for line in lines[number:end]]
    elif directive and directive[1].lower() in _PROSE:
        kept += [directive[2]] if directive[2] else []
        body = lines[number:end]
        while body and _OPTION.match(body[0]):
            body.pop(0)
        kept += [line.strip() for line in body]
    if end < len(lines) and kept and kept[-1].strip():
        kept.append("")
    return end


def _end_of_block(lines: list[str], number: int, indent: int) -> int:
    """The first line that is not indented further; blank ones at the end are not of the block."""
    end = number
    while number < len(lines):
        line = lines[number]
        if line.strip():
            if _indent(line) <= indent:
                break
            end = number + 1
        number += 1
    return end


def _indent(line: str) -> int:
    wide = line.expandtabs()
    return len(wide) - len(wide.lstrip())
