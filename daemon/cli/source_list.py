"""The list of sources, and of what in them could not be read, as text. Pure."""

from typing import Any

from daemon.cli import text
from daemon.cli.output import Json
from daemon.cli.scan_progress import how_far

HEADINGS = ("name", "kind", "state", "changes by", "documents", "last read", "skipped", "path")


def sources_text(answer: list[Json]) -> str:
    if not answer:
        return "No sources yet; allow one with `nightloom privacy sources add PATH`."
    rows = [
        (
            text.value(source["name"]),
            text.value(source["kind"]),
            text.value(source["state"]),
            text.value(source.get("watched")),
            text.count(source["documents"]),
            text.moment(source["last_scan_at"]),
            _reasons(source["skipped"]) or text.NOTHING,
            text.value(source["path"] or None),
        )
        for source in answer
    ]
    table = text.table(HEADINGS, rows, right="    r")
    return "\n\n".join([table, *(one for source in answer for one in _sentences(source))])


def _sentences(source: Json) -> list[str]:
    """What a row has no room for."""
    name, said = text.value(source["name"]), []
    if source.get("scan"):
        said.append(f"{name} is being read: {how_far(source['scan'])}.")
    if source.get("last_error"):
        said.append(f"{name}: {text.value(source['last_error'])}")
    if source.get("why_polled"):
        said.append(f"{name} is looked through now and then: {text.value(source['why_polled'])}.")
    return said


def _reasons(skipped: dict[str, Any]) -> str:
    return ", ".join(f"{text.value(why)} {text.count(found)}" for why, found in skipped.items())


def failed_text(answer: list[Json]) -> str:
    """By source; each file is tried again when it changes."""
    said = []
    for source in answer:
        if not source["failed"]:
            continue
        lines = [f"{text.value(source['name'])}:"]
        lines += [
            f"  {text.value(one['reason'])}  {_on_a_line(one['path'])}" for one in source["failed"]
        ]
        if source.get("more"):
            lines.append("  and more")
        said.append("\n".join(lines))
    return "\n\n".join(said) or "Nothing that was wanted failed to be read."


def _on_a_line(path: Any) -> str:
    """The source's own folder has no path below it."""
    return text.value(path).replace("\n", " ").replace("\t", " ") or "(all of it)"
