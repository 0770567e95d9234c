"""All that is measured of one base, in turn: bare, through the socket, one stream, four, and so on.

Nothing is asked of the bare engine while the service computes, nor the other way round. Each prompt
is new, so that nothing kept of an earlier one helps; the one exception is what is kept on purpose.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from daemon.serving_bench.house import House
from daemon.serving_bench.streams import (
    Json,
    Stream,
    hear,
    hear_together,
    longest_pause,
    rate_together,
)

Say = Callable[[str], None]

PROMPT_TOKENS = 200
SHORT_TOKENS = 8
ANSWER_TOKENS = 16  # of a first turn
FEW = 4  # tokens where the first one is asked for: it may be half a character
STREAMS = 4
BEFORE_A_SWAP = 5  # pieces of the running stream, which say how long its step is


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much of everything."""

    rounds: int
    steps: int  # tokens of a stream
    long_steps: int  # of the stream that runs while adapters are swapped


@dataclass(slots=True)
class Found:
    """Figures of all rounds: seconds, or tokens a second."""

    bare_first: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    bare_rate: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    together: list[float] = field(default_factory=list)
    kept: list[float] = field(default_factory=list)  # first token of a second turn
    not_kept: list[float] = field(default_factory=list)
    swap: list[float] = field(default_factory=list)
    swap_first: list[float] = field(default_factory=list)
    pause: list[float] = field(default_factory=list)
    cold: list[float] = field(default_factory=list)
    prompt_tokens: int = 0

    def drop_first(self) -> None:
        """The round that warmed up."""
        for figures in (self.bare_first, self.first, self.bare_rate, self.rate, self.together,
                        self.kept, self.not_kept):  # fmt: skip
            del figures[:1]


median = statistics.median


class Measuring:
    """One base, warm."""

    def __init__(self, house: House, amounts: Amounts, say: Say) -> None:
        self._house, self._amounts, self._say = house, amounts, say
        self._seed = 0
        self.found = Found()

    def run(self) -> Found:
        for number in range(self._amounts.rounds + 1):  # the first one warms up
            self._say(f"round {number} of {self._amounts.rounds}" if number else "warming up")
            self._first_token()
            self._streams()
            self._second_turn()
        self.found.drop_first()
        for number in range(self._amounts.rounds):
            self._say(f"swapping adapters, {number + 1} of {self._amounts.rounds}")
            self._swap(number)
        for number in range(self._amounts.rounds):
            self._say(f"starting cold, {number + 1} of {self._amounts.rounds}")
            self._cold()
        return self.found

    def _first_token(self) -> None:
        text = self._text(PROMPT_TOKENS)
        self.found.bare_first.append(self._house.bare.ask("prefill", text=text))
        heard = hear(self._house.api, _completion(text, FEW))
        self.found.first.append(heard.first_seconds)
        self.found.prompt_tokens = heard.prompt_tokens

    def _streams(self) -> None:
        steps, found = self._amounts.steps, self.found
        seconds = self._house.bare.ask("decode", text=self._text(SHORT_TOKENS), steps=steps)
        found.bare_rate.append(1 / seconds)
        found.rate.append(hear(self._house.api, _completion(self._short(), steps)).rate)
        asked = [_completion(self._short(), steps) for _ in range(STREAMS)]
        found.together.append(rate_together(hear_together(self._house.api, asked)))

    def _second_turn(self) -> None:
        """The same conversation goes on, and another one of the same length that nobody began."""
        begun = [_turn("user", self._text(PROMPT_TOKENS))]
        answer = "".join(hear(self._house.api, _chat(begun, ANSWER_TOKENS)).text)
        another = [_turn("user", self._text(PROMPT_TOKENS)), _turn("assistant", answer)]
        begun.append(_turn("assistant", answer))
        for turns, figures in ((begun, self.found.kept), (another, self.found.not_kept)):
            turns.append(_turn("user", self._text(SHORT_TOKENS)))
            figures.append(hear(self._house.api, _chat(turns, FEW)).first_seconds)

    def _swap(self, number: int) -> None:
        """While a stream runs with one adapter, another is put in use and asked."""
        digest = self._house.adapters[number % len(self._house.adapters)]
        with Stream(self._house.api, _completion(self._short(), self._amounts.long_steps)) as one:
            one.wait_for(BEFORE_A_SWAP)
            start = time.monotonic()
            self._house.use(digest)
            new = hear(self._house.api, _chat([_turn("user", self._short())], FEW))
            one.wait_for(len(one.heard.pieces) + 1)
        assert new.model.endswith(digest[:12])
        assert new.began is not None
        self.found.swap.append(new.began - start)
        self.found.swap_first.append(new.pieces[0] - start)
        self.found.pause.append(longest_pause(one.heard, start, new.pieces[0]))

    def _cold(self) -> None:
        self._house.end_engine()
        self.found.cold.append(hear(self._house.api, _completion(self._short(), FEW)).first_seconds)

    def _short(self) -> str:
        return self._text(SHORT_TOKENS)

    def _text(self, tokens: int) -> str:
        self._seed += 1
        text: str = self._house.bare.ask("prompt", tokens=tokens, seed=self._seed)
        return text


def _completion(prompt: str, tokens: int) -> Json:
    return {"model": "personal", "prompt": prompt, "max_tokens": tokens, "temperature": 0.0}


def _chat(messages: list[Json], tokens: int) -> Json:
    return {
        "model": "personal", "messages": list(messages), "max_tokens": tokens, "temperature": 0.0,
    }  # fmt: skip


def _turn(role: str, content: str) -> Json:
    return {"role": role, "content": content}
