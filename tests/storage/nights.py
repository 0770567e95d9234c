"""A reader of nights' records, for vaults without a daemon: `{"plan": [ids], "parent": digest}`."""

from collections.abc import Collection

from storage.sealed_table import Record


class PlainNights:
    """See `storage.forgetting.NightRecords`."""

    def voided(
        self, record: Record, present: Collection[int], withdrawn: Collection[str]
    ) -> Record | None:
        if set(record.get("plan", [])) <= set(present) and record.get("parent") not in withdrawn:
            return None
        return {**record, "state": "failed", "plan": []}

    def checkpoint(self, night_id: int) -> str:
        return f"night-{night_id}"


NIGHTS = PlainNights()
