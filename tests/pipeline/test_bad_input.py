"""What is damaged, refused or in the way gets a sentence, and costs nothing else."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import openai
import pytest

from storage.records import DocumentState
from storage.vault import Vault
from tests.pipeline import tiny
from tests.pipeline.living import TINY, Nightloom, entry_of
from tests.storage.making import flipped, publish
from trainer.base_format import read_facts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def flip_a_byte(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(flipped(content, 8 * (len(content) // 2)))


def damage_document(place: Nightloom, document_id: int) -> None:
    """Flip a bit of a sealed text, as a failing disk would."""
    with closing(sqlite3.connect(place.home.vault / "vault.db")) as database, database:
        (sealed,) = database.execute(
            "SELECT sealed FROM document_texts WHERE id = ?", [document_id]
        ).fetchone()
        database.execute(
            "UPDATE document_texts SET sealed = ? WHERE id = ?",
            [flipped(sealed, 8 * (len(sealed) // 2)), document_id],
        )


def documents_in(vault: Vault, state: DocumentState) -> Sequence[int]:
    return [head.document_id for head in vault.documents.heads() if head.state is state]


def test_a_refused_candidate_leaves_the_old_adapter_in_use(learned: Nightloom) -> None:
    learned.configure(tiny.configuration(tolerance=0.0))
    tiny.write_notes(learned, first=500)
    learned.start()
    learned.add_source(name="more")
    before = learned.admin.status()["adapter"]
    said = learned.ask("Where is the keeper?")

    night = learned.run("night", "run", "--now")
    log = learned.admin.nights()

    assert night.exit_code == 0
    assert (log[0]["state"], log[0]["verdict"]) == ("refused", "refused")
    assert log[0]["reason"] in ("general_loss", "no_gain")
    assert log[0]["sentence"] in " ".join(night.stdout.split())
    assert learned.admin.status()["adapter"] == before
    assert [each["status"] for each in learned.admin.adapters()] == ["current"]
    assert learned.ask("Where is the keeper?") == said


def test_what_is_damaged_in_the_vault_is_named_and_the_night_goes_on_without_it(
    noted: Nightloom,
) -> None:
    identity = read_facts(noted.home.bases / TINY).identity
    with noted.open_vault() as vault:
        damaged = documents_in(vault, DocumentState.NEW)[3]
        vault.samples.write(f"samples-{identity[:32]}", [b"general text"])
    damage_document(noted, damaged)
    (samples,) = (noted.home.vault / "files" / "samples").iterdir()
    flip_a_byte(samples)

    noted.start()
    preview = noted.admin.preview()
    entry = entry_of(noted.admin.run_night())
    noted.terminate()

    assert preview["total_new_documents"] == tiny.NOTES - 1
    assert entry["state"] == "done"
    assert f"document {damaged} " in noted.errors.read_text()
    assert "samples of the base are damaged" in noted.errors.read_text()
    with noted.open_vault() as vault:
        assert documents_in(vault, DocumentState.NEW) == [damaged]
        assert [row.row_id for row in vault.verify().damaged_rows] == [damaged]


def test_a_damaged_adapter_is_named_and_the_others_answer(learned: Nightloom) -> None:
    with learned.open_vault() as vault:
        good = vault.shelf.current()
        assert good is not None
        before = set((learned.home.vault / "files" / "adapters").iterdir())
        bad = publish(vault, b"weights" * 10_000, parent=good.sha256, base=good.base)
    (file,) = set((learned.home.vault / "files" / "adapters").iterdir()) - before
    flip_a_byte(file)

    learned.start()
    with pytest.raises(openai.InternalServerError, match=bad.sha256[:12]) as caught:
        learned.ask("Who is there?")
    assert caught.value.code == "engine_unavailable"
    assert learned.ask("Who is there?", "base")
    kept = learned.ask("Who is there?", f"personal@{good.sha256[:12]}")
    assert learned.run("adapters", "use", bad.sha256[:12]).exit_code == 1

    assert learned.run("adapters", "rollback").exit_code == 0
    assert learned.admin.status()["adapter"] == good.sha256[:12]
    assert learned.ask("Who is there?") == kept


def test_a_damaged_base_is_named_and_not_used(noted: Nightloom) -> None:
    flip_a_byte(noted.home.bases / TINY / "tokenizer.json")

    noted.start()
    with pytest.raises(openai.InternalServerError, match=r"tokenizer\.json"):
        noted.ask("Who is there?", "base")
    night = noted.run("night", "run", "--now")

    assert night.exit_code == 1
    assert "tokenizer.json" in night.output
    assert noted.admin.nights()[0]["state"] == "failed"
    assert noted.admin.status()["pending_documents"] == tiny.NOTES
    assert noted.engine_pid() is None


def test_a_base_that_is_not_there_is_said(noted: Nightloom) -> None:
    noted.configure('[engine]\nbase = "elsewhere"\n')
    noted.start()
    with pytest.raises(openai.InternalServerError, match="nightloom base list"):
        noted.ask("Who is there?")
    night = noted.run("night", "run", "--now")
    assert night.exit_code == 1
    assert "nightloom base list" in night.output
    why = noted.run("why")
    assert "no base with the name" in " ".join(why.output.split())


def test_a_second_service_on_the_same_home_is_refused(noted: Nightloom) -> None:
    noted.start()
    second = noted.spawn()
    assert second.wait(60) == 5
    assert f"process {noted.pid}" in noted.errors.read_text()
    assert noted.admin.status()["documents"] == tiny.NOTES


def test_a_home_with_too_long_a_path_says_by_how_much(place: Nightloom) -> None:
    root = place.root / ("long" * 25)
    root.mkdir()
    deep = Nightloom(root)
    deep.make_vault()

    assert deep.spawn().wait(60) == 1
    status = deep.run("status")

    too_many = len(str(deep.home.admin_socket)) + 1 - 108  # sun_path, with its final zero
    assert f"at least {too_many} bytes shorter" in deep.errors.read_text()
    assert f"at least {too_many} bytes shorter" in status.output
    with deep.open_vault() as vault:
        assert vault.verify().intact
