"""A `LimitsBackend` that answers what a test tells it to."""

from typing import Any

from ipc.errors import OperationError

Json = dict[str, Any]


class FakeLimits:
    """Answers as given, notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Json]] = []
        self.refusal: OperationError | None = None
        self.globs = ["*.secret", "/home/anselm/letters/private"]
        self.waits: str | None = None
        self.older = 0
        self.removed = 3
        self.until: float | None = None

    def _note(self, verb: str, **given: Any) -> None:
        self.asked.append((verb, given))
        if self.refusal is not None:
            raise self.refusal

    async def exclusions(self) -> Json:
        self._note("exclusions")
        return {"globs": self.globs}

    async def exclude(self, glob: str) -> Json:
        self._note("exclude", glob=glob)
        return {"glob": glob, "removed_documents": self.removed}

    async def include_again(self, glob: str) -> Json:
        self._note("include_again", glob=glob)
        return {"glob": glob}

    async def retention(self) -> Json:
        self._note("retention")
        sources = [{"name": "letters", "days": 90}, {"name": "notes", "days": None}]
        return {"sources": sources, "waits": self.waits}

    async def count_older(self, days: int, source: str | None) -> Json:
        self._note("count_older", days=days, source=source)
        return {"documents": self.older}

    async def set_retention(self, days: int | None, source: str | None) -> Json:
        self._note("set_retention", days=days, source=source)
        return {
            "sources": [source or "letters"],
            "days": days,
            "removed_documents": 0 if days is None else self.removed,
            "waits": self.waits,
        }

    async def pause_source(self, name: str) -> Json:
        self._note("pause_source", name=name)
        return {"name": name, "state": "paused"}

    async def resume_source(self, name: str) -> Json:
        self._note("resume_source", name=name)
        return {"name": name, "state": "watching"}

    async def pause(self, seconds: float | None) -> Json:
        self._note("pause", seconds=seconds)
        return {"paused": True, "until": self.until}

    async def resume(self) -> Json:
        self._note("resume")
        return {"paused": False, "until": None, "was_paused": True}
