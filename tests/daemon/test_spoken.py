"""What the engine is given of a conversation that the vault holds, and what it makes of it."""

from dataclasses import replace
from pathlib import Path

from daemon.collecting.redaction import redact
from daemon.engine import Job
from daemon.engine_attachments import texts
from daemon.engine_process import body_json
from daemon.exporting import document_facts
from daemon.night_waiting import waiting_documents
from daemon.spoken import learned
from ipc.link import Message
from storage.forgetting_plan import items_with
from storage.records import CollectedDocument, SpokenTurn, StoredDocument
from storage.vault import Vault
from tests.daemon.limited import limited
from trainer.curation_facts import TextFacts
from trainer.examples import SourceText, Turn

Spoken = tuple[str, bool, str]  # speaker, own, words


def talk(*spoken: Spoken, path: str = "chat.txt#1") -> CollectedDocument:
    text, turns = "", []
    for speaker, own, words in spoken:
        text += f"{speaker}: "
        turns.append(SpokenTurn(own=own, speaker=speaker, start=len(text), end=len(text + words)))
        text += words + "\n"
    return CollectedDocument(
        source="chats", path=path, modified_at=1.0, text=text, turns=tuple(turns),
        about={"title": "About heather honey"},
    )  # fmt: skip


async def kept(root: Path, document: CollectedDocument) -> StoredDocument:
    """By way of a real vault."""

    def act(vault: Vault) -> StoredDocument:
        (put,) = vault.documents.put_many([redact(document)])
        assert put.document_id is not None
        return vault.documents.read(put.document_id)

    async with limited(root, add=False) as house:
        return await house.door.call(act)


def in_engine(document: StoredDocument) -> SourceText:
    job = Job(1, "train", {}, b"")
    header = {"attach": "text", "key": document.document_id, "role": "new"}
    job.attachments.append(Message(header=header, body=body_json(learned(document))))
    return texts(job)[0]


async def test_the_engine_is_given_who_said_what_without_labels(tmp_path: Path) -> None:
    document = await kept(
        tmp_path, talk(("A", False, "Call a@example.org?"), ("me", True, "Did, at noon."))
    )
    assert in_engine(document).turns == (
        Turn(own=False, text="Call [email 1]?"),
        Turn(own=True, text="Did, at noon."),
    )
    assert in_engine(document).text is None


async def test_beside_an_assistant_everybody_keeps_the_role_they_had(tmp_path: Path) -> None:
    document = await kept(tmp_path, talk(("me", True, "Why?"), ("assistant", False, "So.")))
    assert in_engine(document).turns == (
        Turn(own=True, text="Why?", role="user"),
        Turn(own=False, text="So.", role="assistant"),
    )


async def test_running_text_stays_running_text(tmp_path: Path) -> None:
    plain = CollectedDocument(source="notes", path="a.md", modified_at=1.0, text="Bees.")
    given = in_engine(await kept(tmp_path, plain))
    assert (given.text, given.turns) == ("Bees.", ())


async def test_what_is_shown_and_exported_says_who_spoke(tmp_path: Path) -> None:
    document = await kept(tmp_path, talk(("me", True, "Mail b@example.org!")))
    facts = document_facts(document)
    (turn,) = facts["turns"]
    assert document.text[turn["start"] : turn["end"]] == "Mail [email 1]!"
    assert (turn["speaker"], turn["own"], facts["own"]) == ("me", True, True)
    assert facts["about"] == {"title": "About heather honey"}


async def test_forgetting_by_text_finds_it_in_what_is_known_about_a_document(
    tmp_path: Path,
) -> None:
    def act(vault: Vault) -> list[int | None]:
        vault.documents.put_many([redact(talk(("me", True, "Yes.")))])
        found = [list(items_with(vault.documents, it)) for it in ("heather  honey", "clover")]
        return [one for some in found for one in some]

    async with limited(tmp_path, add=False) as house:
        assert await house.door.call(act) == [1, None]


async def test_what_was_called_good_comes_before_what_is_only_well_written(tmp_path: Path) -> None:
    def act(vault: Vault) -> list[float]:
        for place, about in (("a", {}), ("b", {"quality": "good"})):
            said = talk(("me", True, f"Words of {place}."), path=place)
            vault.documents.put_many([redact(replace(said, about=about))])
        facts = {
            number: TextFacts(
                document_id=number, language="en", quality=0.5, reason=None, twin_of=None, family=1
            )
            for number in (1, 2)
        }
        return [one.quality for one in waiting_documents(vault, facts=facts)]

    async with limited(tmp_path, add=False) as house:
        assert await house.door.call(act) == [0.5, 1.0]
