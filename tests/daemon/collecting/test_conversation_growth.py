"""However a client asks again, edits and cuts: nothing that was said is lost or learned twice."""

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.collecting.conversation_exchanges import (
    Conversation,
    Exchange,
    conversation_in,
    hashed_parts,
    key_of,
    to_document,
)
from daemon.collecting.conversation_growth import KnownExchanges, Said, begun, grown
from daemon.collecting.redaction import redact
from tests.daemon.collecting.test_redaction_turns import stored


def key(exchange: Exchange) -> str:
    said, whole = (hashlib.sha256(part.encode()).digest() for part in hashed_parts(exchange))
    return key_of(said, whole)


class Shelf:
    """What the listener does, without a vault."""

    def __init__(self) -> None:
        self.known = KnownExchanges()
        self.kept: dict[str, Conversation] = {}

    def hear(self, *exchanges: Exchange) -> None:
        *history, newest = exchanges
        said = Said(key=key(newest), exchange=newest, history={key(one): one for one in history})
        if self.known.paths_with(said.key):
            return
        place = self.known.before(said.key, said.history)
        now = begun(said) if place is None else grown(self.kept[place.path], place.position, said)
        self.kept[now.path] = now
        self.known.note(now.path, now.keys)

    def own(self) -> list[str]:
        lines = [line for talk in self.kept.values() for line in talk.lines if line.own]
        return sorted(line.exchange.said for line in lines)


# Each step: from which branch, how far back, the same question again or not, how much is sent.
STEP = st.tuples(
    st.integers(0, 5), st.integers(0, 3), st.booleans(), st.one_of(st.none(), st.integers(1, 4))
)


@settings(max_examples=300, deadline=None)
@given(st.lists(STEP, max_size=14))
def test_every_question_is_the_users_own_exactly_once(
    steps: list[tuple[int, int, bool, int | None]],
) -> None:
    shelf = Shelf()
    branches: list[list[Exchange]] = [[Exchange(said="Question 0", answer="Answer 0")]]
    shelf.hear(*branches[0])
    asked = {"Question 0"}
    for number, (branch, back, again, window) in enumerate(steps, 1):
        whole = branches[branch % len(branches)]
        before = whole[: max(1, len(whole) - back)]
        if again and len(before) > 1:
            said, before = before[-1].said, before[:-1]
        else:
            said = f"Question {number}"
        talk = [*before, Exchange(said=said, answer=f"Answer {number}")]
        asked.add(said)
        branches.append(talk)
        shelf.hear(*(talk if window is None else talk[-1 - window :]))
    assert set(shelf.own()) == asked
    assert len(shelf.own()) <= len(asked) + sum(again for _, _, again, _ in steps)
    if not any(again for _, _, again, _ in steps):
        assert shelf.own() == sorted(asked)


def test_a_conversation_comes_back_from_its_document_as_it_was() -> None:
    shelf = Shelf()
    one = Exchange(said="Write to ada@example.org.\n\nme: no", answer="assistant: yes")
    shelf.hear(one)
    shelf.hear(one, Exchange(said="Why?", answer="So."))
    shelf.hear(one, Exchange(said="When?", answer="Now."))
    for talk in shelf.kept.values():
        document = redact(to_document(talk, source="s", modified_at=1.0))
        back = conversation_in(stored(document))
        assert back is not None
        assert (back.path, back.keys) == (talk.path, talk.keys)
        assert [line.own for line in back.lines] == [line.own for line in talk.lines]
        assert back.lines[0].exchange.said == "Write to [email 1].\n\nme: no"
        assert to_document(back, source="s", modified_at=1.0).text == document.text
        assert "ada" not in repr(talk)


def test_a_document_of_another_kind_is_no_conversation() -> None:
    document = redact(to_document(Conversation(path="p", lines=()), source="s", modified_at=1.0))
    assert conversation_in(stored(document)) is None
