"""The user's word about a file that holds many documents counts for all of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.collecting.kinds import make_source
from daemon.collecting.one_file import files_at
from daemon.collecting.redaction import redact
from daemon.collecting.skipping import SkipReason
from daemon.collecting.source import FoundFile, Source
from daemon.extracting.extractor import Extractor
from daemon.forgetting_nights import NightRecords
from daemon.forgetting_operations import lift_tombstones
from storage.document_rows import PutOutcome
from storage.forgetting import Scope, forget_and_rotate
from storage.records import SourceSettings
from storage.vault import Vault
from tests.daemon.collecting.parts import LIMIT
from tests.daemon.letters import ME, letter, write_mbox
from tests.storage.making import FAST, PASSPHRASE


@pytest.fixture
def extractor() -> Iterator[Extractor]:
    made = Extractor()
    yield made
    made.close()


def put(vault: Vault, source: Source) -> list[PutOutcome]:
    outcomes = []
    for file in source.scan():
        assert isinstance(file, FoundFile)
        content = source.read(file)
        assert not isinstance(content, SkipReason)
        results = vault.documents.put_many(redact(document) for document in content.documents)
        outcomes += [one.outcome for one in results]
    return outcomes


def test_letters_that_were_forgotten_come_again_with_their_file(
    tmp_path: Path, extractor: Extractor
) -> None:
    mail = write_mbox(
        tmp_path / "mail" / "Sent.mbox",
        letter("The damsons are in the cellar, behind the crocks.", name="1"),
        letter("I shall bring the ladder on Thursday, if it does not rain.", name="2"),
    )
    settings = SourceSettings(name="mail", kind="mail", path=str(mail), me=(ME,))
    source = make_source(settings, most_bytes=LIMIT, extractor=extractor)
    vault, _ = Vault.create(tmp_path / "vault", passphrase=PASSPHRASE, argon2=FAST)
    try:
        assert put(vault, source) == [PutOutcome.STORED] * 2
        items = vault.forgetting.items_of_source("mail")
        forget_and_rotate(vault, items, scope=Scope.SOURCE, nights=NightRecords())
        assert put(vault, source) == [PutOutcome.FORGOTTEN] * 2
        (file,) = files_at([source], mail)
        assert len(file.items) == 2
        assert "damsons" not in repr(file)
        assert lift_tombstones(vault, file) > 0
        assert put(vault, source) == [PutOutcome.STORED] * 2
    finally:
        vault.close()
