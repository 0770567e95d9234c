"""A conversation: what was said, on which terms it goes on, and what is sent for the next answer.

Pure. The API has no conversations, so all of it is sent each time. It lives in memory only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ipc.inference import Sampling

Message = dict[str, str]

ANSWER_TOKENS = 512  # a small base does not always find an end


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What the user said, and the answer or as much of it as there is."""

    question: str = field(repr=False)
    answer: str = field(repr=False)
    id: str | None = None  # of an answer that came to its end; of others nothing is ever kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """With whom, on which terms, and what was said."""

    model: str = "personal"
    system: str | None = field(default=None, repr=False)
    temperature: float | None = None  # None: the service's
    max_tokens: int = ANSWER_TOKENS
    train: bool = True  # False: kept out, also where chats are collected
    turns: tuple[Turn, ...] = field(default=(), repr=False)
    unanswered: str | None = field(default=None, repr=False)  # a question whose answer failed
    ids: tuple[str, ...] = ()  # of all answers, also those that are not sent any more

    def messages(self, question: str) -> list[Message]:
        """All that is sent to have this answered."""
        found: list[Message] = []
        if self.system is not None:
            found.append({"role": "system", "content": self.system})
        for turn in self.turns:
            found.append({"role": "user", "content": turn.question})
            found.append({"role": "assistant", "content": turn.answer})
        return [*found, {"role": "user", "content": question}]

    @property
    def sampling(self) -> Sampling:
        if self.temperature is None:
            return Sampling(max_tokens=self.max_tokens)
        return Sampling(max_tokens=self.max_tokens, temperature=self.temperature)

    @property
    def last_id(self) -> str | None:
        return self.turns[-1].id if self.turns else None

    def answered(self, question: str, answer: str, id: str | None) -> "Talk":
        turn = Turn(question=question, answer=answer, id=id)
        ids = self.ids if id is None else (*self.ids, id)
        return replace(self, turns=(*self.turns, turn), unanswered=None, ids=ids)

    def failed(self, question: str) -> "Talk":
        """Nothing of it is sent later, unless it is asked again."""
        return replace(self, unanswered=question)

    def again(self) -> "tuple[Talk, str] | None":
        """The last question, and the conversation before it; None where none was asked."""
        if self.unanswered is not None:
            return replace(self, unanswered=None), self.unanswered
        if not self.turns:
            return None
        return replace(self, turns=self.turns[:-1]), self.turns[-1].question

    def shortened(self) -> "Talk | None":
        """Without its first exchange; None where there is none to go without."""
        return replace(self, turns=self.turns[1:]) if self.turns else None

    def without(self, ids: Sequence[str]) -> "Talk":
        """These answers, and what was asked for them, are not sent any more."""
        return replace(
            self,
            turns=tuple(turn for turn in self.turns if turn.id not in ids),
            ids=tuple(id for id in self.ids if id not in ids),
        )

    def begun_anew(self) -> "Talk":
        """Nothing was said; the terms stay."""
        return replace(self, turns=(), unanswered=None, ids=())
