"""What the command line asks about preview, test, audit and export, done.

Implements `ipc.seeing_api.SeeingBackend`. Text leaves here towards `admin.sock` and nowhere else.
"""

import asyncio
import functools
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from daemon.audit_log import AuditLog
from daemon.auditing.examination import Examination, Step
from daemon.auditing.history import history
from daemon.auditing.history import since as not_older
from daemon.doctor import Finding
from daemon.exporting import document_facts, exported
from daemon.home import Home
from daemon.host_checks import examine_host
from daemon.keys_operations import secret_of
from daemon.operation_errors import said
from daemon.placeholders import placeholders
from daemon.vault_door import VaultDoor
from ipc.errors import OperationError
from ipc.given_secret import GivenSecret
from storage.errors import StorageError
from storage.keys import Secret
from storage.records import DocumentState, StoredDocument
from storage.vault import Vault

Json = dict[str, Any]


class SeeingOperations:
    """A part of `Operations`.

    Args:
        vault: what is seen.
        account: who asked; written before it is shown.
        confirm: raises unless the secret opens the vault.
        home: whose files an audit looks at.
    """

    def __init__(
        self,
        *,
        vault: VaultDoor,
        account: AuditLog,
        confirm: Callable[[Secret], Awaitable[None]],
        home: Home,
    ) -> None:
        self._vault = vault
        self._account = account
        self._confirm = confirm
        self._home = home
        self._audits = False

    async def texts(
        self, *, document: int | None, after: int, count: int | None
    ) -> AsyncGenerator[Json, None]:
        """One after the other, so that no more than one is in memory."""
        with said():
            if document is not None:
                found = await self._vault.call(lambda vault: vault.documents.read(document))
                yield text_entry(found)
                return
            ids = await self._vault.call(_new_ids)
            wanted = [number for number in ids if number > after]
            for number in wanted if count is None else wanted[:count]:
                one = await self._vault.call(functools.partial(_read, number=number))
                if one is not None:
                    yield text_entry(one)

    async def forgotten(self, *, source: str | None, path: str | None, text: str) -> Json:
        with said():
            known = await self._vault.call(
                lambda vault: vault.documents.is_forgotten(source or "", path or "", text)
            )
        return {"forgotten": known}

    async def audit(self, *, quick: bool, since: float | None) -> AsyncGenerator[Json, None]:
        """Progress, and last what was done and what was checked. One at a time."""
        if self._audits:
            raise OperationError("refused", "An audit is under way already; wait for its end.")
        self._audits = True
        try:
            with said():
                self._vault.check()
                await self._account.write()
                events = await self._vault.call(lambda vault: vault.ledger.events())
                checks: list[Finding] = []
                examination = Examination(self._vault, self._home)
                async with aclosing(examination.run(quick=quick)) as told:
                    async for one in told:
                        if isinstance(one, Step):
                            yield {"progress": one.to_json()}
                        else:
                            checks.append(one)
                host = await asyncio.to_thread(examine_host, self._home)
                yield {"audit": _audited(checks, host, events, since, quick=quick)}
        finally:
            self._audits = False

    async def export(self, secret: GivenSecret, folder: str | None) -> AsyncGenerator[Json, None]:
        """Everything, to whoever knows the secret."""
        with said():
            await self._confirm(secret_of(secret))
            async with aclosing(exported(self._vault, folder=folder)) as lines:
                async for line in lines:
                    yield line


def text_entry(document: StoredDocument) -> Json:
    """A document with its text; `placeholders` are offsets in it."""
    marks = placeholders(document.text)
    return {
        **document_facts(document),
        "text": document.text,
        "placeholders": [{"kind": m.kind, "start": m.start, "end": m.end} for m in marks],
    }


def _audited(
    checks: list[Finding],
    host: list[Finding],
    events: list[Json],
    start: float | None,
    *,
    quick: bool,
) -> Json:
    """What is wrong with the machine is told and fails nothing: it says nothing of the vault."""
    return {
        "holds": not any(check.holds is False for check in checks),
        "quick": quick,
        "since": start,
        "checks": [check.to_json() for check in checks],
        "host": [finding.to_json() for finding in host],
        **history(not_older(events, start)),
    }


def _new_ids(vault: Vault) -> list[int]:
    heads = vault.documents.heads()
    return [head.document_id for head in heads if head.state is DocumentState.NEW]


def _read(vault: Vault, *, number: int) -> StoredDocument | None:
    """None for one that is damaged, which an audit tells, or went meanwhile."""
    try:
        return vault.documents.read(number)
    except StorageError:
        return None
