"""What forgetting means for the records of nights: pure. See `storage.forgetting.NightRecords`.

A night that did not end and that worked with what was forgotten is void: it is not taken up again,
and whatever of it is still running may write nothing any more. Of nights that ended only the plan
goes, which names documents and is of no use any more.
"""

from collections.abc import Collection

from daemon import night_record
from daemon.errors import NightForgotten
from daemon.night_record import NightState, Record

FORGOTTEN = "forgotten"  # the reason of a night that is void


def checkpoint_name(night_id: int) -> str:
    return f"night-{night_id}"


def is_void(record: Record) -> bool:
    return record.get("reason") == FORGOTTEN


def is_unfinished(record: Record) -> bool:
    return NightState(record["state"]) in night_record.UNFINISHED


class NightRecords:
    """Reads and voids records as `night_record.py` writes them."""

    def voided(
        self, record: Record, present: Collection[int], withdrawn: Collection[str]
    ) -> Record | None:
        plan = night_record.planned(record)
        named = frozenset() if plan is None else plan.all_ids
        if named <= frozenset(present) and record.get("parent") not in withdrawn:
            return None
        if is_unfinished(record):
            return void(record)
        return None if plan is None else {**record, "plan": None}

    def checkpoint(self, night_id: int) -> str:
        return checkpoint_name(night_id)


def void(record: Record) -> Record:
    """An unfinished night that is not to be taken up again."""
    return {
        **record,
        "state": NightState.FAILED.value,
        "reason": FORGOTTEN,
        "sentence": str(NightForgotten()),
        "adapter": None,
        "plan": None,
    }
