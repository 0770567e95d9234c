"""When the rules grow, what the vault holds is brought under them, once, and the event says so."""

import asyncio
from pathlib import Path

from daemon.collecting.redaction_rules import RULES_VERSION
from daemon.redacting_again import RedactingAgain
from storage.records import DocumentState, RedactedDocument, SpokenTurn
from storage.vault import Vault
from tests.daemon.limited import Limited, limited
from tests.storage.making import lasting_heads, publish

CARD = "4111 1111 " + "1111 1111"


def kept(text: str, path: str, rules_version: int = 1) -> RedactedDocument:
    return RedactedDocument(
        source="notes", path=path, modified_at=1.0, text=text, rules_version=rules_version
    )


def texts(vault: Vault) -> list[str]:
    return [vault.documents.read(head.document_id).text for head in vault.documents.heads()]


async def put(house: Limited, *documents: RedactedDocument) -> None:
    await house.door.call(lambda vault: vault.documents.put_many(documents))


async def test_secrets_that_the_old_rules_left_are_taken_out_of_every_version(
    tmp_path: Path,
) -> None:
    async with limited(tmp_path, add=False) as house:
        await put(house, kept(f"My card is {CARD}.", "a.md"))
        await put(
            house,
            kept(f"Was [email 1], then b@example.org and {CARD}.", "a.md"),
            kept("The bees slept.", "b.md"),
            kept("Kept today.", "c.md", RULES_VERSION),
        )
        await house.door.call(lambda v: v.documents.set_states({3: DocumentState.LEARNED}))
        await house.door.call(lambda vault: publish(vault, b"weights"))  # saw items 1 and 2
        before = await house.door.call(lasting_heads)

        await RedactingAgain(house.door, house.nights).run()

        assert await house.door.call(texts) == [
            "My card is [card 1].",
            "Was [email 1], then [email 2] and [card 1].",
            "The bees slept.",
            "Kept today.",
        ]
        assert await house.door.call(lasting_heads) == before
        assert await house.door.call(lambda v: v.documents.outdated(RULES_VERSION)) == []
        facts = {
            "rules_version": RULES_VERSION, "documents": 3, "changed": 2, "redactions": 3,
            "adapters": 1,
        }  # fmt: skip
        assert await house.events() == [("redacted_again", facts)]
        assert (await house.door.call(lambda vault: vault.verify())).intact


async def test_a_conversation_keeps_its_turns_and_what_is_known_about_it(tmp_path: Path) -> None:
    text = f"A: My card is {CARD}.\nme: Thank you."
    turns = tuple(
        SpokenTurn(own=speaker == "me", speaker=speaker, start=start, end=end)
        for speaker, start, end in (("A", 3, text.index("\n")), ("me", len(text) - 10, len(text)))
    )
    talk = RedactedDocument(
        source="chats", path="a#1", modified_at=1.0, text=text, rules_version=1, turns=turns,
        own=False, about={"title": f"The card {CARD}"},
    )  # fmt: skip
    async with limited(tmp_path, add=False) as house:
        await put(house, talk)
        await RedactingAgain(house.door, house.nights).run()
        again = await house.door.call(lambda vault: vault.documents.read(1))
        said = [(turn.speaker, turn.own, again.text[turn.start : turn.end]) for turn in again.turns]
        assert said == [("A", False, "My card is [card 1]."), ("me", True, "Thank you.")]
        assert (again.own, again.about) == (False, {"title": "The card [card 1]"})


async def test_nothing_is_done_or_said_a_second_time(tmp_path: Path) -> None:
    async with limited(tmp_path, add=False) as house:
        await put(house, kept(f"My card is {CARD}.", "a.md"))
        for _ in range(2):
            await RedactingAgain(house.door, house.nights).run()
        assert len(await house.events()) == 1


async def test_a_vault_without_old_documents_has_no_event(tmp_path: Path) -> None:
    async with limited(tmp_path, add=False) as house:
        await put(house, kept("Kept today.", "c.md", RULES_VERSION))
        await RedactingAgain(house.door, house.nights).run()
        assert await house.events() == []


async def test_it_goes_on_where_it_was_cut_off_and_counts_everything(tmp_path: Path) -> None:
    async with limited(tmp_path, add=False) as house:
        many = [kept(f"{number}: card {CARD}, " + "bees " * 60_000, f"{number}.md")
                for number in range(12)]  # fmt: skip
        await put(house, *many)
        calls = 0

        class Cut:
            """A door that is shut after three calls."""

            async def call(self, function):  # type: ignore[no-untyped-def]
                nonlocal calls
                calls += 1
                if calls > 3:
                    raise RuntimeError
                return await house.door.call(function)

        try:
            await RedactingAgain(Cut(), house.nights).run()
        except RuntimeError:
            left = await house.door.call(lambda vault: vault.documents.outdated(RULES_VERSION))
            assert 0 < len(left) < 12
        else:
            raise AssertionError("it was done in one go")
        await RedactingAgain(house.door, house.nights).run()
        ((_, facts),) = await house.events()
        assert (facts["documents"], facts["changed"], facts["redactions"]) == (12, 12, 12)


async def test_it_waits_for_a_night_that_runs(tmp_path: Path) -> None:
    async with limited(tmp_path, add=False) as house:
        await put(house, kept(f"My card is {CARD}.", "a.md"))
        await house.begin_night()
        task = asyncio.create_task(RedactingAgain(house.door, house.nights).run())
        await house.door.call(lambda vault: None)
        await house.door.call(lambda vault: None)
        assert not task.done()
        assert await house.door.call(texts) == [f"My card is {CARD}."]
        house.night.stopped.set()
        await task
        assert await house.door.call(texts) == ["My card is [card 1]."]
