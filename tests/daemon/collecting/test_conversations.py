"""Chats held with nightloom itself: kept once, as they grow, and only where the user wants it."""

import asyncio
from pathlib import Path

import pytest

from daemon.collecting.conversation_exchanges import EXCHANGES, QUALITY, exchanges_of
from daemon.collecting.conversation_listening import MOST_WAITING
from daemon.collecting.redaction import find_secrets
from daemon.collecting.skipping import SkipReason
from daemon.errors import ConversationsAlready, VaultQuotaReached
from daemon.forgetting_nights import NightRecords
from ipc.errors import UnknownAnswer, VaultLocked
from storage.forgetting import Scope, forget_and_rotate
from storage.records import DocumentState, SourceSettings
from storage.vault import Vault
from tests.daemon.conversing import CHATS, Said, Talks, talks

HI: Said = ("user", "How are the bees?")
FINE: Said = ("assistant", "They sleep.")
WHY: Said = ("user", "Why do they?")
WINTER: Said = ("assistant", "It is winter.")
WHEN: Said = ("user", "And when do they wake?")


async def two_exchanges(house: Talks) -> None:
    house.say(HI, answer=FINE[1])
    house.say(HI, FINE, WHY, answer=WINTER[1])
    await house.heard()


async def test_a_conversation_that_grows_is_one_item(tmp_path: Path) -> None:
    async with talks(tmp_path) as house:
        await two_exchanges(house)
        house.say(HI, FINE, WHY, WINTER, WHEN, answer="In March.")
        await house.heard()
        assert await house.kept() == [
            [
                ("me", "How are the bees?", True), ("assistant", "They sleep.", False),
                ("me", "Why do they?", True), ("assistant", "It is winter.", False),
                ("me", "And when do they wake?", True), ("assistant", "In March.", False),
            ]
        ]  # fmt: skip
        heads = await house.door.call(lambda vault: vault.documents.heads())
        assert [(head.item_id, head.version) for head in heads] == [(1, 1)]  # no drafts stay
        assert house.collector.report("talks").documents == 1


async def test_what_a_night_has_learned_stays_as_an_older_version(tmp_path: Path) -> None:
    async with talks(tmp_path) as house:
        house.say(HI, answer=FINE[1])
        await house.heard()
        await house.door.call(lambda v: v.documents.set_states({1: DocumentState.LEARNED}))
        house.say(HI, FINE, WHY, answer=WINTER[1])
        await house.heard()
        heads = await house.door.call(lambda vault: vault.documents.heads())
        states = [(head.version, head.state) for head in heads]
        assert states == [(1, DocumentState.SUPERSEDED), (2, DocumentState.NEW)]


async def test_a_conversation_is_known_again_after_a_restart(tmp_path: Path) -> None:
    async with talks(tmp_path) as house:
        await two_exchanges(house)
    async with talks(tmp_path) as house:
        house.say(HI, FINE, WHY, WINTER, WHEN, answer="In March.")
        await house.heard()
        assert await house.own() == [HI[1], WHY[1], WHEN[1]]
        assert len(await house.documents()) == 1


async def test_a_client_that_sends_only_the_end_of_it_goes_on_with_the_same(tmp_path: Path) -> None:
    async with talks(tmp_path) as house:
        await two_exchanges(house)
        house.say(("system", "Be brief."), WHY, WINTER, WHEN, answer="In March.")
        await house.heard()
        (talk,) = await house.kept()
        assert [words for speaker, words, _ in talk if speaker == "me"] == [
            HI[1], WHY[1], WHEN[1],
        ]  # fmt: skip


async def test_system_prompts_are_left_out_and_change_nothing(tmp_path: Path) -> None:
    async with talks(tmp_path) as house:
        house.say(("system", "It is ten o'clock, be heather."), HI, answer=FINE[1])
        house.say(("system", "It is eleven, be heather."), HI, FINE, WHY, answer=WINTER[1])
        await house.heard()
        (document,) = await house.documents()
        assert "heather" not in document.text
        assert await house.own() == [HI[1], WHY[1]]


async def test_an_answer_that_was_asked_for_again_takes_the_place_of_the_first(
    tmp_path: Path,
) -> None:
    async with talks(tmp_path) as house:
        house.say(HI, answer="They hum.")
        house.say(HI, answer=FINE[1])
        house.say(HI, FINE, WHY, answer="No idea.")
        house.say(HI, FINE, WHY, answer=WINTER[1])
        await house.heard()
        (talk,) = await house.kept()
        assert [words for _, words, _ in talk] == [HI[1], FINE[1], WHY[1], WINTER[1]]


async def test_an_earlier_turn_that_was_edited_loses_nothing_and_learns_nothing_twice(
    tmp_path: Path,
) -> None:
    async with talks(tmp_path) as house:
        await two_exchanges(house)
        house.say(HI, FINE, WHY, WINTER, WHEN, answer="In March.")
        house.say(HI, FINE, ("user", "Do they dream?"), answer="Perhaps.")
        house.say(HI, FINE, ("user", "Do they dream?"), ("assistant", "Perhaps."), WHEN, answer="?")
        house.say(HI, FINE, ("user", "Do they dream?"), ("assistant", "Perhaps."), WHEN, answer="!")
        await house.heard()
        first, second = await house.kept()
        assert [words for _, words, own in first if own] == [HI[1], WHY[1], WHEN[1]]
        assert second == [
            ("me", HI[1], False), ("assistant", FINE[1], False),
            ("me", "Do they dream?", True), ("assistant", "Perhaps.", False),
            ("me", WHEN[1], True), ("assistant", "!", False),
        ]  # fmt: skip


async def test_the_same_exchange_again_is_nothing_new(tmp_path: Path) -> None:
    async with talks(tmp_path) as house:
        await two_exchanges(house)
        house.say(HI, answer=FINE[1])
        house.say(HI, ("assistant", " They\nsleep. "), WHY, answer=WINTER[1])
        await house.heard()
        assert await house.own() == [HI[1], WHY[1]]


async def test_what_was_said_while_nobody_listened_does_not_come_in_later(tmp_path: Path) -> None:
    """A client sends all of a conversation again, also what was said before or during a pause."""
    async with talks(tmp_path, listening=False) as house:
        before: list[Said] = [("user", "Before."), ("assistant", "Yes.")]
        house.say(before[0], answer="Yes.")
        await house.listen()
        house.say(*before, HI, answer=FINE[1])
        await house.heard()
        house.collector.pause("talks")
        house.say(*before, HI, FINE, ("user", "In the pause."), answer="Well.")
        house.collector.resume("talks")
        house.collector.pause_all()
        house.say(HI, FINE, ("user", "In another pause."), answer="Well.")
        house.collector.resume_all()
        between: list[Said] = [("user", "In the pause."), ("assistant", "Well.")]
        house.say(*before, HI, FINE, *between, WHY, answer=WINTER[1])
        await house.heard()
        assert await house.own() == [HI[1], WHY[1]]
        text = (await house.documents())[0].text
        assert "Before" not in text
        assert "pause" not in text


async def test_secrets_go_and_keep_their_number_over_the_whole_conversation(
    tmp_path: Path,
) -> None:
    ask: Said = ("user", "Write to ada@example.org.")
    async with talks(tmp_path) as house:
        house.say(ask, answer="Done.")
        house.say(ask, ("assistant", "Done."), ("user", "ada@example.org again"), answer="Who?")
        await house.heard()
        assert await house.own() == ["Write to [email 1].", "[email 1] again"]
        tail: list[Said] = [("user", "ada@example.org again"), ("assistant", "Who?")]
        house.say(*tail, ("user", "bo@example.org"), answer="Well.")
        await house.heard()
        assert (await house.own())[-1] == "[email 2]"


async def test_the_keys_beside_a_conversation_are_nothing_that_redaction_takes_out(
    tmp_path: Path,
) -> None:
    async with talks(tmp_path) as house:
        for number in range(40):
            house.say(("user", f"Question {number}"), answer=f"Answer {number}")
        await house.heard()
        documents = await house.documents()
        assert len(documents) == 40
        for document in documents:
            (key,) = document.about[EXCHANGES].split()
            assert len(key) == 16
            assert find_secrets(f"{key} {key}") == []
            assert document.path == key


# --------------------------------------------------------------------------- good and bad


async def test_a_good_exchange_marks_its_conversation_for_good(tmp_path: Path) -> None:
    async with talks(tmp_path) as house:
        first = house.say(HI, answer=FINE[1])
        assert await house.keeper.judged(first, "good")
        house.say(HI, FINE, WHY, answer=WINTER[1])
        await house.heard()
        (document,) = await house.documents()
        assert document.about[QUALITY] == "good"
        assert await house.own() == [HI[1], WHY[1]]


async def test_a_bad_exchange_leaves_every_version_and_does_not_come_back(tmp_path: Path) -> None:
    async with talks(tmp_path) as house:
        house.say(HI, answer=FINE[1])
        bad = house.say(HI, FINE, WHY, answer=WINTER[1])
        await house.heard()
        await house.door.call(lambda v: v.documents.set_states({2: DocumentState.LEARNED}))
        house.say(HI, FINE, WHY, WINTER, WHEN, answer="In March.")
        assert not await house.keeper.judged(bad, "bad")
        assert not await house.keeper.judged(bad, "good")  # it is not there any more
        march: Said = ("assistant", "In March.")
        house.say(HI, FINE, WHY, WINTER, WHEN, march, ("user", "Good."), answer="Yes.")
        await house.heard()
        assert await house.own() == [HI[1], WHEN[1], "Good."]

        def words(vault: Vault) -> str:
            ids = [head.document_id for head in vault.documents.heads()]
            return " ".join(vault.documents.read(number).text for number in ids)

        everything = await house.door.call(words)
        assert WHY[1] not in everything
        assert WINTER[1] not in everything
        assert (await house.door.call(lambda vault: vault.verify())).intact
        events = await house.door.call(lambda vault: vault.ledger.events())
        assert "exchange_taken_out" in [event["kind"] for event in events]


async def test_a_conversation_of_one_bad_exchange_is_gone(tmp_path: Path) -> None:
    async with talks(tmp_path) as house:
        bad = house.say(HI, answer=FINE[1])
        assert not await house.keeper.judged(bad, "bad")
        assert await house.documents() == []
        assert house.collector.report("talks").documents == 0
        house.say(HI, FINE, WHY, answer=WINTER[1])
        await house.heard()
        assert await house.own() == [WHY[1]]


async def test_a_word_about_an_answer_that_nobody_gave_is_an_error(tmp_path: Path) -> None:
    async with talks(tmp_path) as house:
        with pytest.raises(UnknownAnswer):
            await house.keeper.judged("chatcmpl-x", "good")
        house.keeper.kept_out("chatcmpl-secret")
        assert not await house.keeper.judged("chatcmpl-secret", "good")
        await house.collector.remove("talks")
        off = house.say(HI, answer=FINE[1])
        assert not await house.keeper.judged(off, "good")


async def test_who_hangs_up_while_an_answer_is_judged_ends_nothing_else(tmp_path: Path) -> None:
    async with talks(tmp_path) as house:
        answer = house.say(HI, answer=FINE[1])
        judging = asyncio.create_task(house.keeper.judged(answer, "good"))
        await asyncio.sleep(0)
        judging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await judging
        await house.heard()
        assert (await house.documents())[0].about[QUALITY] == "good"
        judging = asyncio.create_task(house.keeper.judged(answer, "bad"))
        await asyncio.sleep(0)
        await house.collector.clear()  # as a lock does
        with pytest.raises(VaultLocked):
            await judging


# --------------------------------------------------------------------------- limits


async def test_too_much_at_once_is_dropped_and_counted(tmp_path: Path) -> None:
    async with talks(tmp_path) as house:
        for number in range(MOST_WAITING + 3):  # the loop has no turn in between
            house.say(("user", f"Question {number}"), answer="Yes.")
        house.keeper.kept_out("chatcmpl-x")
        await house.heard()
        assert house.collector.report("talks").skipped == {
            SkipReason.DROPPED: 3,
            SkipReason.NO_TRAIN: 1,
        }
        assert len(await house.documents()) == MOST_WAITING


async def test_a_chat_that_is_larger_than_all_that_may_wait_is_dropped(tmp_path: Path) -> None:
    async with talks(tmp_path) as house:
        house.say(("user", "bees " * (2 << 20)), answer="Yes.")
        await house.heard()
        assert house.collector.report("talks").skipped == {SkipReason.DROPPED: 1}


async def test_a_vault_that_refuses_costs_the_exchange_and_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with talks(tmp_path) as house:

        def full(*_: object) -> None:
            raise VaultQuotaReached("1")

        with monkeypatch.context() as patched:
            patched.setattr("daemon.collecting.vault_store.put_and_tell", full)
            house.say(HI, answer=FINE[1])
            await house.heard()
        report = house.collector.report("talks")
        assert (report.state, report.skipped) == ("quota", {SkipReason.DROPPED: 1})
        assert "vault_gb" in (report.last_error or "")
        house.say(WHY, answer=WINTER[1])
        await house.heard()
        report = house.collector.report("talks")
        assert (report.state, report.last_error) == ("watching", None)
        assert await house.own() == [WHY[1]]


async def test_a_locked_vault_drops_what_is_said(tmp_path: Path) -> None:
    async with talks(tmp_path) as house:
        house.door.refuse()
        house.say(HI, answer=FINE[1])
        await house.collector.clear()
        house.say(HI, FINE, WHY, answer=WINTER[1])
    async with talks(tmp_path) as house:
        assert await house.documents() == []


async def test_a_forgotten_conversation_goes_on_without_what_was_forgotten(tmp_path: Path) -> None:
    async with talks(tmp_path) as house:
        await two_exchanges(house)

        def act(vault: Vault) -> None:
            items = vault.forgetting.items_of_source("talks")
            forget_and_rotate(vault, items, scope=Scope.SOURCE, nights=NightRecords())

        await house.door.call(act)
        house.say(HI, FINE, WHY, WINTER, WHEN, answer="In March.")
        house.say(HI, answer=FINE[1])  # the very same beginning
        await house.heard()
        assert await house.own() == [WHEN[1]]


async def test_there_is_one_such_source_at_most(tmp_path: Path) -> None:
    async with talks(tmp_path) as house:
        with pytest.raises(ConversationsAlready):
            await house.listen(SourceSettings(name="more", kind="conversations", path=""))
        notes = tmp_path / "notes"
        notes.mkdir()
        placed = await house.collector.place(
            SourceSettings(name="notes", kind="folder", path=str(notes))
        )
        assert placed.path == str(notes.resolve())  # a source at no place is in nobody's way
        assert house.collector.report(CHATS.name).watched


# --------------------------------------------------------------------------- what clients send


@pytest.mark.parametrize(
    ("messages", "answer", "found"),
    [
        ([HI], "Fine.", [("How are the bees?", "Fine.")]),
        ([("system", "s"), FINE, HI], "Fine.", [("How are the bees?", "Fine.")]),
        ([("user", "a"), ("user", "b")], "c", [("a\nb", "c")]),
        ([("user", "a"), ("assistant", "I th")], "ink so", [("a", "I think so")]),
        ([("user", "a"), ("assistant", "b"), ("assistant", "c"), ("user", "d")], "e",
         [("a", "b"), ("d", "e")]),
        ([("system", "s")], "Hello", []),
        ([("assistant", "b")], "Hello", []),
        ([("user", "  ")], "Hello", []),
        ([("user", "a")], " \n", []),
        ([], "x", []),
    ],
)  # fmt: skip
def test_what_clients_send_is_read_as_exchanges(
    messages: list[Said], answer: str, found: list[tuple[str, str]]
) -> None:
    read = exchanges_of(messages, answer)
    assert [(one.said, one.answer) for one in read] == found
    assert "bees" not in repr(read)
