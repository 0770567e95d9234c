"""What the ledger's events say, put together: who asked, what was collected, learned, served,
forgotten. Pure.

An event is a dict with `id`, `kind`, `at` (seconds since the epoch; not in the oldest) and `facts`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from storage.exports import ADAPTER_EXPORTED, EXPORTED

Json = dict[str, Any]

COLLECTED, NIGHT, PUBLISHED, ASKED = "collected", "night", "published", "asked"
EXPORTS = (EXPORTED, ADAPTER_EXPORTED)
FORGETTING = ("forgotten", "retention_applied", "redacted_again")
MOST_PIDS = 8
_TOLD_APART = frozenset({COLLECTED, NIGHT, PUBLISHED, ASKED, *FORGETTING, *EXPORTS})


def since(events: Iterable[Json], start: float | None) -> list[Json]:
    """Those that are not older; an event without a time belongs to any time."""
    return [each for each in events if start is None or (each.get("at") or start) >= start]


def history(events: list[Json]) -> Json:
    """The parts of `nightloom privacy audit --json` that come from events."""
    asked = _lines(events)
    return {
        "asked": _by_program(asked),
        "served": _by_model(asked),
        "collected": _collected(events),
        "nights": _nights(events),
        "published": [_told(each) for each in events if each["kind"] == PUBLISHED],
        "forgotten": [_told(each) for each in events if each["kind"] in FORGETTING],
        "exported": [_export(each) for each in events if each["kind"] in EXPORTS],
        "others": [_told(each) for each in events if each["kind"] not in _TOLD_APART],
    }


def _told(event: Mapping[str, Any]) -> Json:
    told = {"event": event["id"], "kind": event["kind"], "at": event.get("at")}
    return {**event["facts"], **told}


def _export(event: Mapping[str, Any]) -> Json:
    """What left the vault in clear: how many documents, and which adapters."""
    facts = event["facts"]
    one = [facts["digest"]] if "digest" in facts else []
    return {
        "event": event["id"],
        "kind": event["kind"],
        "at": event.get("at"),
        "documents": facts.get("documents", 0),
        "adapters": [digest[:12] for digest in facts.get("digests", one)],
        "folder": facts.get("folder"),
    }


def _lines(events: Iterable[Json]) -> list[Json]:
    """What stands in `asked` events: one line per program, socket and question."""
    return [
        {"at": each.get("at"), **line}
        for each in events
        if each["kind"] == ASKED
        for line in each["facts"].get("requests", ())
    ]


def _by_program(lines: Iterable[Json]) -> list[Json]:
    """Per program, user and socket, the busiest first; what was asked, counted."""
    found: dict[tuple[Any, ...], Json] = {}
    for line in lines:
        one = found.setdefault(
            (line["socket"], line["program"], line["uid"]),
            {
                "socket": line["socket"],
                "program": line["program"],
                "uid": line["uid"],
                "pids": [],
                "requests": 0,
                "tokens": 0,
                "last_at": None,
                "what": Counter(),
            },
        )
        one["pids"] = list(dict.fromkeys((*one["pids"], *line["pids"])))[:MOST_PIDS]
        one["requests"] += line["requests"]
        one["tokens"] += line["tokens"]
        one["last_at"] = _later(one["last_at"], line.get("last_at", line["at"]))
        one["what"][line["what"]] += line["requests"]
    for one in found.values():
        one["what"] = dict(one["what"].most_common())
    return sorted(found.values(), key=lambda one: -int(one["requests"]))


def _by_model(lines: Iterable[Json]) -> list[Json]:
    """What answered over `api.sock`."""
    requests: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    for line in lines:
        if line["socket"] == "api" and line["tokens"]:
            requests[line["what"]] += line["requests"]
            tokens[line["what"]] += line["tokens"]
    return [
        {"model": model, "requests": count, "tokens": tokens[model]}
        for model, count in requests.most_common()
    ]


def _collected(events: Iterable[Json]) -> list[Json]:
    by_source: dict[str, Json] = {}
    for each in events:
        if each["kind"] != COLLECTED:
            continue
        facts = each["facts"]
        one = by_source.setdefault(
            facts["source"],
            {"source": facts["source"], "documents": 0, "kept_out": 0, "last_at": None},
        )
        one["documents"] += facts.get("stored", 0) + facts.get("new_versions", 0)
        one["kept_out"] += facts.get("forgotten", 0)
        one["last_at"] = _later(one["last_at"], each.get("at"))
    return [by_source[name] for name in sorted(by_source)]


def _nights(events: Iterable[Json]) -> list[Json]:
    """Each night with the last state that it was in."""
    nights: dict[int, Json] = {}
    for each in events:
        if each["kind"] == NIGHT:
            facts = each["facts"]
            nights[facts["night"]] = {**facts, "at": each.get("at")}
    return [nights[number] for number in sorted(nights)]


def _later(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else max(one, other)
