"""Markdown as it is, but for what programs wrote into it: front matter, properties, records. Pure.

Knows the lines that Obsidian and Logseq keep for themselves in a note.
"""

import re

from daemon.collecting.front_matter import known_facts, split_front_matter

# Logseq's properties that only its program reads, and those on top of a page.
_MACHINE_LINE = re.compile(
    r"[ \t]*(?:- )?(?:id|collapsed|heading|background-color|created-at|updated-at|card-[\w-]+"
    r"|logseq\.[\w.-]+|ls-type|hl-[\w-]+|file-path)::(?: [^\n]*)?(?:\n|\Z)"
)
_PAGE_PROPERTY = re.compile(r"(?:- )?([A-Za-z][\w-]{0,40})::[ \t]+([^\n]*)(?:\n|\Z)")
_MACHINE_LINES = re.compile(rf"^{_MACHINE_LINE.pattern}", re.MULTILINE)
_LOGBOOK = re.compile(
    r"^[ \t]*:LOGBOOK:\n(?:[ \t]*CLOCK:[^\n]*\n)*[ \t]*:END:[ \t]*\n?", re.MULTILINE
)
_PLUGIN_SETTINGS = re.compile(r"^%% [\w-]+:settings\n```\n[^`]*```\n%%[ \t]*\n?", re.MULTILINE)


def read_markdown(text: str) -> tuple[str, dict[str, str]]:
    """The text, and what is known about it."""
    about, text = split_front_matter(text)
    if ":" not in text:
        return text, about
    if "::" in text:
        properties: dict[str, list[str]] = {}
        while found := _PAGE_PROPERTY.match(text) or _MACHINE_LINE.match(text):
            if found.re is _PAGE_PROPERTY:
                properties.setdefault(found[1], [found[2].replace("[[", "").replace("]]", "")])
            text = text[found.end() :]
        about = known_facts(properties) | about
        text = _MACHINE_LINES.sub("", text)
    if ":LOGBOOK:" in text:
        text = _LOGBOOK.sub("", text)
    if ":settings\n" in text:
        text = _PLUGIN_SETTINGS.sub("", text)
    return text, about
