"""Several answers at once on one base: rows come and go, each turn does one unit of work.

A unit is a chunk of one prompt that waits to be read, or one step of the rows that answer; these
take turns, so that neither starves. A greedy or seeded row gives exactly the tokens that it gives
alone, whatever other rows, adapters and kept beginnings are there. Knows nothing of text, of who
asks, and of when a row has said enough: rows end by `drop`. Touched by one thread only.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import nullcontext

import torch

from trainer.base_model import BaseModel
from trainer.decoding import Activate
from trainer.generation import check_prompt
from trainer.nf4 import MOST_ROWS, PAGE_TOKENS
from trainer.prefix_cache import Prefix, PrefixCache, reusable
from trainer.row_cache import RowCache
from trainer.row_pass import RowPass
from trainer.row_stock_pass import StockRowPass
from trainer.sampling import Drawn, SamplingSettings, Seen, draw, generator_for
from trainer.served_adapters import LoadedAdapter, ServedAdapters

__all__ = ["Drawn", "Row", "RowBatch"]

MEMORY_BYTES = 1 << 30  # of keys and values, where nothing else is said


class Row:
    """One answer.

    Args:
        limit: tokens that will be drawn at most.
    """

    def __init__(
        self,
        base: BaseModel,
        prompt: Sequence[int],
        settings: SamplingSettings,
        limit: int,
        adapter: LoadedAdapter | None,
        cache: RowCache,
    ) -> None:
        self.prompt_tokens = len(prompt)
        self.reused_tokens = 0  # of the prompt, that were not read again
        self.limit = limit
        self._settings = settings
        self._adapter = adapter
        self._cache = cache
        self._prompt = list(prompt)
        self._tokens = list(prompt)  # and what was drawn
        self._exact = 0  # tokens in the cache that were read in whole chunks, from the first
        self._vocabulary = base.tokenizer.vocabulary
        self._generator = generator_for(settings.seed, base.device)
        self._seen = Seen(prompt, self._vocabulary, device=base.device)

    @property
    def exact(self) -> bool:
        """Whether it must give the tokens that it gives alone: greedy or seeded."""
        return self._settings.temperature == 0 or self._settings.seed is not None

    @property
    def adapter(self) -> str | None:
        """Its name."""
        return None if self._adapter is None else self._adapter.name


class RowBatch:
    """The rows of one base.

    Args:
        adapters: those that rows can be answered with.
        chunk_tokens: of a prompt that are read in one turn, at multiples of it.
        memory_bytes: of keys and values, those of kept beginnings included. One row is always
            answered, however long it is.
        without_adapters: on other devices than the CPU, must switch adapters of training off.
    """

    def __init__(
        self,
        base: BaseModel,
        adapters: ServedAdapters,
        *,
        chunk_tokens: int = PAGE_TOKENS,
        memory_bytes: int = MEMORY_BYTES,
        without_adapters: Activate = nullcontext,
    ) -> None:
        self._base = base
        self._adapters = adapters
        self._chunk = chunk_tokens
        self._pass: RowPass | StockRowPass = (
            RowPass(base) if base.device.type == "cpu" else StockRowPass(base, without_adapters)
        )
        self._most_pages = memory_bytes // self._pass.pool.page_bytes
        self._kept = PrefixCache(self._pass.pool)
        self._reading: deque[Row] = deque()
        self._answering: deque[Row] = deque()
        self._full: list[Row] = []  # have said as much as they may, and were not dropped yet
        self._read_next = True

    @property
    def rows(self) -> int:
        """That were added and not dropped."""
        return len(self._reading) + len(self._answering) + len(self._full)

    @property
    def has_work(self) -> bool:
        return bool(self._reading or self._answering)

    @property
    def held_bytes(self) -> int:
        """Keys and values, those of kept beginnings included."""
        return self._pass.pool.pages * self._pass.pool.page_bytes

    def fits(self, prompt_tokens: int, limit: int | None) -> bool:
        """Whether one more row of this size can be answered beside the others to its end."""
        wanted = _pages(prompt_tokens + self._limit(prompt_tokens, limit))
        promised = sum(_pages(row.prompt_tokens + row.limit) for row in self._rows())
        return self.rows == 0 or promised + wanted <= self._most_pages

    def add(
        self, prompt_ids: Sequence[int], settings: SamplingSettings, adapter: str | None
    ) -> Row:
        """A row more; it keeps the adapter that has this name now.

        Raises:
            PromptTooLong, PromptEmpty, AdapterUnknown
        """
        check_prompt(self._base, prompt_ids)
        loaded = None if adapter is None else self._adapters.get(adapter)
        self._kept.forget(lambda owner: owner is not None and not self._adapters.serves(owner))
        limit = self._limit(len(prompt_ids), settings.max_tokens)
        row = Row(self._base, prompt_ids, settings, limit, loaded, self._pass.cache())
        self._take_over(row)
        self._reading.append(row)
        return row

    def drop(self, row: Row) -> None:
        """End a row, wherever it is; what it had read is kept for others that begin like it."""
        for some in (self._reading, self._answering, self._full):
            if row in some:
                some.remove(row)
                break
        else:
            return
        prefix = self._prefix(row)
        served = row._adapter is None or self._adapters.serves(row._adapter)
        if served and prefix.tokens and prefix.pages:
            row._cache.hand_over()
            self._kept.keep(prefix)
        else:
            row._cache.release(wipe=not served)
        row._adapter = None
        self._pass.forget()

    def forget(self, adapter: str | None) -> None:
        """Wipe kept beginnings that were read with an adapter of this name; None for the base."""
        self._kept.forget(lambda owner: adapter == (None if owner is None else owner.name))

    def clear(self) -> None:
        """Wipe all kept beginnings."""
        self._kept.clear()

    def turn(self) -> list[tuple[Row, Drawn]]:
        """One unit of work: the tokens that it brought, at most one for each row."""
        read = bool(self._reading) and (self._read_next or not self._answering)
        self._read_next = not read
        if read:
            return self._read()
        return self._step() if self._answering else []

    def _read(self) -> list[tuple[Row, Drawn]]:
        """A chunk of the prompt that has waited longest."""
        row = self._reading[0]
        self._take_over(row)
        start = row._cache.length
        end = min(start - start % self._chunk + self._chunk, row.prompt_tokens)
        self._make_room([row], end - start)
        last = end == row.prompt_tokens
        logits = self._pass.read(row._cache, row._tokens[start:end], row._adapter, last=last)
        if row._exact == start and end - start == self._chunk:
            row._exact = end
        self._reading.popleft()
        if logits is None:
            self._reading.append(row)
            return []
        return [self._drawn(row, logits)]

    def _step(self) -> list[tuple[Row, Drawn]]:
        """One token more for the rows that have waited longest."""
        rows = [self._answering.popleft() for _ in range(min(len(self._answering), MOST_ROWS))]
        by_adapter = sorted(rows, key=_place)
        try:
            self._make_room(rows, 1)
            logits = self._pass.step(
                [row._cache for row in by_adapter],
                [row._tokens[-1] for row in by_adapter],
                [row._adapter for row in by_adapter],
            )
        except BaseException:
            self._answering.extendleft(reversed(rows))
            raise
        return [self._drawn(row, logits[at : at + 1]) for at, row in enumerate(by_adapter)]

    def _drawn(self, row: Row, logits: torch.Tensor) -> tuple[Row, Drawn]:
        drawn = draw(logits[0, : row._vocabulary], row._settings, row._generator, row._seen)
        row._tokens.append(drawn.token)
        full = len(row._tokens) - row.prompt_tokens >= row.limit
        (self._full if full else self._answering).append(row)
        return row, drawn

    def _take_over(self, row: Row) -> None:
        """Have the beginning of its prompt from a row that read the same, if one did."""
        cache = row._cache
        if cache.length % self._chunk or not self._pass.shares:
            return
        others = (self._prefix(other) for other in self._rows() if other is not row)
        best, most = None, cache.length
        for prefix in (*self._kept, *others):
            found = reusable(prefix, row._adapter, row._prompt, exact=row.exact, chunk=self._chunk)
            if found > most:
                best, most = prefix, found
        if best is None:
            return
        row.reused_tokens += most - cache.length
        cache.adopt(best.pages, most)
        row._exact = min(best.exact, most) // self._chunk * self._chunk
        self._kept.used(best)

    def _prefix(self, row: Row) -> Prefix:
        length = row._cache.length
        return Prefix(
            owner=row._adapter, tokens=row._tokens[:length], exact=row._exact,
            read=min(length, row.prompt_tokens), pages=row._cache.pages,
        )  # fmt: skip

    def _make_room(self, rows: Sequence[Row], more: int) -> None:
        """Give kept beginnings up where these rows need their memory."""
        wanted = sum(row._cache.pages_for(more) for row in rows)
        while self._pass.pool.pages + wanted > self._most_pages:
            if not self._kept.give_up_oldest():
                return

    def _limit(self, prompt_tokens: int, wanted: int | None) -> int:
        room = self._base.context_tokens - prompt_tokens
        return min(wanted or room, room)

    def _rows(self) -> Iterator[Row]:
        yield from self._reading
        yield from self._answering
        yield from self._full


def _pages(tokens: int) -> int:
    return -(-tokens // PAGE_TOKENS)


def _place(row: Row) -> int:
    """Rows of one adapter side by side."""
    return 0 if row._adapter is None else row._adapter.number
