"""The command line's side of `limits_api.py`: retention, quotas, exclusions and pauses."""

from urllib.parse import quote

from ipc.client_calls import AdminCalls, Json


class LimitsClient(AdminCalls):
    """One method per route. What changes much takes as long as it takes."""

    def exclusions(self) -> Json:
        return self._object("GET", "/exclusions")

    def exclude(self, glob: str) -> Json:
        return self._object("POST", "/exclusions", {"glob": glob}, timeout=None)

    def include_again(self, glob: str) -> Json:
        return self._object("POST", "/exclusions/remove", {"glob": glob})

    def retention(self) -> Json:
        return self._object("GET", "/retention")

    def count_older(self, days: int, source: str | None = None) -> Json:
        body = {"days": days, "source": source}
        return self._object("POST", "/retention/count", body, timeout=None)

    def set_retention(self, days: int | None, source: str | None = None) -> Json:
        body = {"days": days, "source": source}
        return self._object("POST", "/retention", body, timeout=None)

    def pause_source(self, name: str) -> Json:
        return self._object("POST", f"/sources/{quote(name, safe='')}/pause")

    def resume_source(self, name: str) -> Json:
        return self._object("POST", f"/sources/{quote(name, safe='')}/resume")

    def pause(self, seconds: float | None = None) -> Json:
        """Returns when all is still, a night's checkpoint saved."""
        return self._object("POST", "/pause", {"seconds": seconds}, timeout=None)

    def resume(self) -> Json:
        return self._object("POST", "/resume")
