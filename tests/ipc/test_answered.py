"""Chats that are told to whoever keeps them: once, whole, and of several choices the first."""

from dataclasses import dataclass, field

from ipc.answered import AnsweredChat, Quality, told
from ipc.inference import (
    ChatMessage,
    Finished,
    GenerationEvent,
    GenerationRequest,
    Started,
    TextPiece,
)
from tests.ipc.serving import Events

ASKED = GenerationRequest(
    model="base", messages=(ChatMessage(role="user", content="How are the bees?"),), choices=2
)
EVENTS: tuple[GenerationEvent, ...] = (
    Started(model="base", prompt_tokens=5),
    TextPiece(text="They ", choice=0),
    TextPiece(text="Nobody ", choice=1),
    TextPiece(text="sleep.", choice=0),
    TextPiece(text="knows.", choice=1),
    Finished(reason="stop", completion_tokens=2, choice=1),
    Finished(reason="stop", completion_tokens=2, choice=0),
)


@dataclass
class Keeper:
    answers: list[AnsweredChat] = field(default_factory=list)
    out: list[str] = field(default_factory=list)

    def answered(self, chat: AnsweredChat) -> None:
        self.answers.append(chat)

    def kept_out(self, id: str) -> None:
        self.out.append(id)

    async def judged(self, id: str, quality: Quality) -> bool:
        raise AssertionError(f"{id} was not judged {quality}")


async def playing(*events: GenerationEvent) -> Events:
    for event in events:
        yield event


async def test_of_several_choices_the_first_is_kept_when_all_have_ended() -> None:
    keeper = Keeper()
    passed_on = []
    async for event in told(playing(*EVENTS), ASKED, "id", keeper):
        assert not keeper.answers
        passed_on.append(event)
    assert passed_on == list(EVENTS)
    assert [(chat.id, chat.answer) for chat in keeper.answers] == [("id", "They sleep.")]


async def test_a_first_choice_that_did_not_end_is_not_kept() -> None:
    keeper = Keeper()
    _ = [event async for event in told(playing(*EVENTS[:-1]), ASKED, "id", keeper)]
    assert not keeper.answers
