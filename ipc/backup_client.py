"""The command line's side of `backup_api.py`: the sealed backup as a stream."""

import http.client
import struct
from collections.abc import Generator

from ipc.client_calls import AdminCalls, Json, exchange, operation_error, parsed
from ipc.errors import AnswerCutShort

PART = struct.Struct(">cI")  # as in `backup_api.py`, which needs aiohttp
JSON, DATA = b"j", b"d"
LONGEST_PART = 64 * 1024 * 1024


class BackupClient(AdminCalls):
    """One method per route."""

    def backup(self) -> Generator[Json | bytes, None, None]:
        """What the backup holds, then the file in pieces, last `{"backup": ...}`.

        Leaving the iterator gives the backup up. It ends only after its last part: anything else
        raises OperationError, NotRunning or AnswerCutShort.
        """
        with exchange(self._path, "POST", "/backup", None, timeout=None) as response:
            if response.status != http.client.OK:
                raise operation_error(parsed(response.read()))
            while True:
                some = _part(response)
                if isinstance(some, dict) and "error" in some:
                    raise operation_error(some)
                yield some
                if isinstance(some, dict) and "backup" in some:
                    return


def _part(response: http.client.HTTPResponse) -> Json | bytes:
    kind, length = PART.unpack(_whole(response, PART.size))
    if kind not in (JSON, DATA) or length > LONGEST_PART:
        raise AnswerCutShort
    data = _whole(response, length)
    if kind == DATA:
        return data
    told = parsed(data)
    if not isinstance(told, dict):
        raise AnswerCutShort
    return told


def _whole(response: http.client.HTTPResponse, count: int) -> bytes:
    data = response.read(count)
    if len(data) < count:
        raise AnswerCutShort
    return data
