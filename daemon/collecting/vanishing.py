"""Which documents go because their files went, in sources that do not keep what was deleted. Pure.

Nothing goes at one look: a file has to be away at two, some minutes apart, and hours apart where
most of the source is away, which is more likely a disk or a folder that comes back.
"""

from collections.abc import Collection
from pathlib import PurePosixPath

from daemon.collecting.whereabouts import files_of

AWAY_SECONDS = 300.0
HEARD_SECONDS = 60.0  # from an event of it to the first look
MOST_AWAY_SECONDS = 7200.0  # where more than half of the source is away
FEW = 10  # files that may be more than half of a source without being suspicious


class Vanishing:
    """What was away at the looks before. One per source."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._wait = AWAY_SECONDS
        self._heard_at: float | None = None
        self._not_before = 0.0

    @property
    def look_again_at(self) -> float | None:
        """When there should be a look: the first, or one that may be the last."""
        times = [since + self._wait for since in self._since.values()]
        if self._heard_at is not None:
            times.append(self._heard_at + HEARD_SECONDS)
        return max(self._not_before, min(times)) if times else None

    def postpone(self, now: float) -> None:
        """Nothing may go now; what is away stays so."""
        self._not_before = now + AWAY_SECONDS

    def hear(self, now: float) -> None:
        """An event said that something went."""
        self._heard_at = self._heard_at or now

    def clear(self) -> None:
        """The looks before were at another folder."""
        self._since.clear()
        self._heard_at = None

    def look(self, away: Collection[str], *, files: int, now: float) -> list[str]:
        """Those paths whose documents are to go.

        Args:
            away: paths whose files are not there at this look.
            files: that are there.
        """
        self._heard_at = None
        if not files:
            self.clear()  # an empty source is one that is not mounted
            return []
        self._since = {path: self._since.get(path, now) for path in away}
        suspicious = len(away) > max(FEW, files)
        self._wait = MOST_AWAY_SECONDS if suspicious else AWAY_SECONDS
        gone = [path for path, since in self._since.items() if now - since >= self._wait]
        for path in gone:
            del self._since[path]
        return gone


def is_away(path: str, met: Collection[str], left_out: Collection[str]) -> bool:
    """Whether a scan that went through everything would have met the file of this document.

    Args:
        met: paths of files.
        left_out: paths that the scan did not go into, for whatever reason.
    """
    if any(one in met or one in left_out for one in files_of(path)):
        return False
    folders = (str(folder) for folder in PurePosixPath(path).parents)
    return not any(("" if folder == "." else folder) in left_out for folder in folders)
