"""Several answers at once: each says exactly what it says alone, and nothing is mixed up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from tests.trainer.nf4_matrices import threads
from trainer import nf4, row_batch
from trainer.adapter_format import LoraShape
from trainer.base_model import BaseModel, load_base
from trainer.block_functions import FEW_ROWS, swiglu
from trainer.decoding import Decoder
from trainer.errors import AdapterUnknown, PromptEmpty, PromptTooLong
from trainer.lora import LoraBank
from trainer.nf4 import MOST_ROWS, PAGE_TOKENS
from trainer.row_batch import Row, RowBatch
from trainer.row_stock_pass import StockRowPass
from trainer.sampling import SamplingSettings
from trainer.served_adapters import ServedAdapters

GREEDY = SamplingSettings(temperature=0, max_tokens=6)
SEEDED = SamplingSettings(temperature=1.5, top_p=1.0, seed=7, max_tokens=8)
UNREPEATABLE = SamplingSettings(temperature=1.0, max_tokens=9)
ADAPTERS: dict[str, LoraShape] = {
    "ada": LoraShape(rank=4),
    "bea": LoraShape(rank=8, alpha=8.0, rslora=False),
    "cleo": LoraShape(rank=nf4.MOST_RANK + 1),  # more than the kernels take
}
Served = Callable[..., tuple[BaseModel, ServedAdapters]]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A row, and after how many turns it is added."""

    prompt: Sequence[int]
    adapter: str | None = None
    settings: SamplingSettings = GREEDY
    after: int = 0


@pytest.fixture(scope="module")
def served(base_folders: Callable[[str], Path]) -> Served:
    """A tiny base and three adapters that change what it says, made once for each kind."""
    made: dict[tuple[str, torch.dtype], tuple[BaseModel, ServedAdapters]] = {}

    def of(
        family: str = "llama", dtype: torch.dtype = torch.bfloat16
    ) -> tuple[BaseModel, ServedAdapters]:
        if (family, dtype) not in made:
            base = load_base(base_folders(family), compute_dtype=dtype)
            adapters = ServedAdapters(base)
            for seed, name in enumerate(ADAPTERS):
                adapters.load(name, adapter_bytes(base, ADAPTERS[name], seed=seed))
            made[family, dtype] = base, adapters
        return made[family, dtype]

    return of


def adapter_bytes(base: BaseModel, shape: LoraShape, *, seed: int) -> bytes:
    bank, generator = LoraBank(base.model, base.identity), torch.Generator().manual_seed(seed)
    bank.create("made", shape, seed=seed)
    with torch.no_grad():
        for parameter in bank.parameters("made").values():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    data = bank.save("made")
    bank.drop("made")
    return data


def prompt(tokens: int, seed: int = 1) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    found: list[int] = torch.randint(6, 300, (tokens,), generator=generator).tolist()
    return found


def finish(batch: RowBatch, row: Row) -> list[int]:
    """The row's tokens to its limit; then it is dropped. Others go on meanwhile."""
    while batch.has_work and row not in batch._full:
        batch.turn()
    said = row._tokens[row.prompt_tokens :]
    batch.drop(row)
    return said


def answers(batch: RowBatch, asked: Sequence[Asked]) -> list[list[int]]:
    """What each says, while they come and go."""
    said: dict[Row, list[int]] = {}
    waiting, rows, turn = list(enumerate(asked)), dict[int, Row](), 0
    while waiting or batch.has_work:
        for number, one in [late for late in waiting if late[1].after <= turn]:
            waiting.remove((number, one))
            rows[number] = batch.add(one.prompt, one.settings, one.adapter)
            said[rows[number]] = []
        for row, drawn in batch.turn():
            said[row].append(drawn.token)
            if len(said[row]) == row.limit:
                batch.drop(row)
        turn += 1
    return [said[rows[number]] for number in range(len(asked))]


def alone(base: BaseModel, adapters: ServedAdapters, one: Asked) -> list[int]:
    (said,) = answers(RowBatch(base, adapters), [replace(one, after=0)])
    return said


def mixture() -> list[Asked]:
    """Rows of all kinds that come at different times, some of them with common beginnings."""
    long = prompt(200, seed=3)
    prompts = [prompt(5), long, long[:150] + prompt(40, seed=4), [*long, 9], prompt(128, seed=5)]
    return [
        Asked(
            prompt=one, adapter=adapter, settings=SEEDED if number % 2 else GREEDY,
            after=2 * number + 3 * place,
        )
        for number, one in enumerate(prompts)
        for place, adapter in enumerate([None, "ada", "bea", "cleo"])
    ]  # fmt: skip


# --------------------------------------------------------------------------- exactness


@pytest.mark.parametrize(
    ("family", "dtype"),
    [
        ("llama", torch.bfloat16), ("mistral", torch.float32), ("qwen2", torch.float32),
        ("qwen3", torch.bfloat16),
    ],
    ids=str,
)  # fmt: skip
def test_each_row_says_exactly_what_it_says_alone(
    served: Served, family: str, dtype: torch.dtype
) -> None:
    base, adapters = served(family, dtype)
    asked = mixture()
    together = answers(RowBatch(base, adapters), asked)
    assert together == [alone(base, adapters, one) for one in asked]
    assert len(set(map(tuple, together[:4]))) == 4  # adapters speak differently


def test_without_kernels_as_well(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    base, adapters = served("mistral")
    asked = mixture()[:8]
    with_kernels = answers(RowBatch(base, adapters), asked)
    monkeypatch.setattr(nf4, "kernels", lambda: None)
    together = answers(RowBatch(base, adapters), asked)
    assert together == [alone(base, adapters, one) for one in asked]
    same = sum(one == other for one, other in zip(together, with_kernels, strict=True))
    assert same >= len(asked) // 2  # other roundings, but the same model


def test_more_rows_than_the_kernels_take_at_once(served: Served) -> None:
    base, adapters = served()
    asked = [
        Asked(prompt=prompt(3 + number, seed=number), adapter=[None, "ada"][number % 2])
        for number in range(MOST_ROWS + 3)
    ]
    together = answers(RowBatch(base, adapters), asked)
    assert together == [alone(base, adapters, one) for one in asked]


def test_a_row_of_gates_is_what_it_is_alone_however_many_threads_there_are() -> None:
    gates = torch.randn((FEW_ROWS, 2 * 5632))
    with torch.no_grad(), threads(3):
        each = torch.cat([swiglu(row[None]) for row in gates])
        assert torch.equal(swiglu(gates), each)
    assert FEW_ROWS == MOST_ROWS


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2", "qwen3"])
def test_rows_say_what_a_decoder_of_their_own_says(served: Served, family: str) -> None:
    base, adapters = served(family, torch.float32)
    bank = LoraBank(base.model, base.identity)
    bank.load("bea", adapter_bytes(base, ADAPTERS["bea"], seed=1))
    bank.create("learning", LoraShape(rank=2), seed=5)  # what training has there changes nothing
    ids = prompt(150)
    for name in (None, "bea"):
        decoder = Decoder(base.model, activate=lambda: bank.serving(name))  # noqa: B023
        logits, wanted = decoder.prefill([ids]), []
        for _ in range(6):
            wanted.append(int(logits[0, : base.tokenizer.vocabulary].argmax()))
            logits = decoder.step(torch.tensor(wanted[-1:]))
        assert alone(base, adapters, Asked(prompt=ids, adapter=name)) == wanted
    for name in sorted(bank.names):
        bank.drop(name)


def test_rows_on_other_devices_say_the_same(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """transformers' pass, here on the CPU."""
    base, adapters = served("mistral", torch.float32)
    asked = mixture()[:9]
    ours = answers(RowBatch(base, adapters), asked)
    monkeypatch.setattr(row_batch, "RowPass", StockRowPass)
    batch = RowBatch(base, adapters)
    assert answers(batch, asked) == ours
    assert batch.held_bytes == 0


# --------------------------------------------------------------------------- kept beginnings


def test_a_prompt_that_begins_like_one_before_is_read_from_there(served: Served) -> None:
    base, adapters = served()
    batch, long = RowBatch(base, adapters), prompt(200)
    first = batch.add(long, GREEDY, "ada")
    said = finish(batch, first)
    again = batch.add(long, GREEDY, "ada")
    assert (first.reused_tokens, again.reused_tokens) == (0, PAGE_TOKENS)
    assert finish(batch, again) == said
    other = Asked(prompt=[*long[:140], 7, 8], adapter="ada", settings=SEEDED)
    row = batch.add(other.prompt, other.settings, other.adapter)
    assert row.reused_tokens == PAGE_TOKENS
    assert finish(batch, row) == alone(base, adapters, other)


def test_a_prompt_that_is_being_read_for_another_row_is_not_read_twice(served: Served) -> None:
    base, adapters = served()
    batch, long = RowBatch(base, adapters), prompt(250)
    rows = [batch.add(long, replace(SEEDED, seed=seed, max_tokens=5), "ada") for seed in range(4)]
    turns = 0
    while any(row.limit for row in rows) and batch.has_work:
        turns += bool(batch._reading)
        batch.turn()
    assert sum(row.reused_tokens for row in rows) == 3 * PAGE_TOKENS
    for row in rows:
        batch.drop(row)


def test_the_next_turn_of_a_conversation_goes_on_where_the_answer_ended(served: Served) -> None:
    """Unless it must be repeatable: then what was generated is read like everything else."""
    base, adapters = served()
    batch, begun = RowBatch(base, adapters), prompt(150)
    said = finish(batch, batch.add(begun, UNREPEATABLE, None))
    turn = [*begun, *said, 7, 8, 9]
    row = batch.add(turn, UNREPEATABLE, None)
    assert row.reused_tokens == len(begun) + len(said) - 1  # the last one was not fed
    finish(batch, row)
    exact = Asked(prompt=[*turn, 5])
    row = batch.add(exact.prompt, exact.settings, None)
    assert row.reused_tokens == PAGE_TOKENS
    assert finish(batch, row) == alone(base, adapters, exact)


def test_nothing_is_shared_between_adapters(served: Served) -> None:
    base, adapters = served()
    batch, one = RowBatch(base, adapters), Asked(prompt=prompt(140), adapter="bea")
    for other in ("ada", None):
        finish(batch, batch.add(one.prompt, GREEDY, other))
    row = batch.add(one.prompt, GREEDY, "bea")
    assert row.reused_tokens == 0
    assert finish(batch, row) == alone(base, adapters, one)


def test_an_adapter_in_anothers_place_answers_as_if_that_had_never_been(served: Served) -> None:
    base, _ = served()
    adapters, ids = ServedAdapters(base), prompt(140)
    data = {name: adapter_bytes(base, ADAPTERS[name], seed=2) for name in ("ada", "bea")}
    batch = RowBatch(base, adapters)
    adapters.load("voice", data["ada"])
    of_ada = finish(batch, batch.add(ids, GREEDY, "voice"))
    pinned = batch.add(ids, GREEDY, "voice")  # goes on with what it began with
    adapters.drop("voice")
    adapters.load("voice", data["bea"])
    row = batch.add(ids, GREEDY, "voice")
    assert row.reused_tokens == 0
    of_bea = finish(batch, row)
    assert finish(batch, pinned) == of_ada != of_bea
    fresh = ServedAdapters(base)
    fresh.load("voice", data["bea"])
    assert of_bea == alone(base, fresh, Asked(prompt=ids, adapter="voice"))


def test_what_is_forgotten_is_wiped_and_not_found_again(served: Served) -> None:
    base, adapters = served()
    batch, ids = RowBatch(base, adapters), prompt(140)
    for name in ("ada", "bea", None):
        finish(batch, batch.add(ids, GREEDY, name))
    pages = {kept.owner and kept.owner.name: kept.pages[0].tensor for kept in batch._kept}
    batch.forget("ada")
    assert not pages["ada"].any()
    assert pages["bea"].any()
    assert [batch.add(ids, GREEDY, name).reused_tokens for name in ("ada", "bea", None)] == [
        0, PAGE_TOKENS, PAGE_TOKENS,
    ]  # fmt: skip
    batch.clear()
    assert not any(batch._kept)


def test_rows_of_an_adapter_that_went_leave_nothing_behind(served: Served) -> None:
    base, _ = served()
    adapters = ServedAdapters(base)
    adapters.load("ada", adapter_bytes(base, ADAPTERS["ada"], seed=2))
    batch = RowBatch(base, adapters)
    row = batch.add(prompt(140), GREEDY, "ada")
    batch.turn()
    (page,) = row._cache.tensors
    adapters.drop("ada")
    batch.forget("ada")
    assert page.any()  # it goes on
    finish(batch, row)
    assert not page.any()
    assert batch.held_bytes == 0


# --------------------------------------------------------------------------- room


def test_memory_stays_within_its_bounds_and_old_beginnings_go_first(served: Served) -> None:
    base, adapters = served()
    page = RowBatch(base, adapters)._pass.pool.page_bytes
    batch = RowBatch(base, adapters, memory_bytes=3 * page)
    for seed in range(6):
        row = batch.add(prompt(140, seed=seed), GREEDY, None)
        assert batch.fits(100, 20)
        assert not batch.fits(200, 20)
        finish(batch, row)
        assert batch.held_bytes <= 3 * page
    assert batch.add(prompt(140, seed=5), GREEDY, None).reused_tokens == PAGE_TOKENS
    assert batch.add(prompt(140, seed=0), GREEDY, None).reused_tokens == 0


def test_a_row_alone_always_fits(served: Served) -> None:
    base, adapters = served()
    batch = RowBatch(base, adapters, memory_bytes=0)
    assert batch.fits(200, None)
    row = batch.add(prompt(200), GREEDY, None)
    assert not batch.fits(1, 1)
    assert finish(batch, row) == alone(base, adapters, Asked(prompt=prompt(200)))
    assert batch.held_bytes == 2 * page_bytes(batch)
    finish(batch, batch.add(prompt(20), GREEDY, None))
    assert batch.held_bytes == page_bytes(batch)


def page_bytes(batch: RowBatch) -> int:
    return batch._pass.pool.page_bytes


def test_a_row_can_be_dropped_wherever_it_is(served: Served) -> None:
    base, adapters = served()
    batch = RowBatch(base, adapters)
    stays = Asked(prompt=prompt(20), adapter="ada")
    row = batch.add(stays.prompt, stays.settings, stays.adapter)
    for turns in range(5):
        gone = batch.add(prompt(200, seed=2), SEEDED, "bea")
        for _ in range(turns):
            batch.turn()
        batch.drop(gone)
        batch.drop(gone)  # who hung up may hang up again
    assert batch.rows == 1
    batch.drop(row)
    assert not batch.has_work
    assert batch.turn() == []


def test_long_prompts_do_not_stop_those_who_answer(served: Served) -> None:
    base, adapters = served()
    batch = RowBatch(base, adapters, chunk_tokens=32)
    row = batch.add(prompt(5), GREEDY, None)
    batch.turn()
    for seed in range(3):
        batch.add(prompt(200, seed=seed), GREEDY, None)
    answered = [any(of is row for of, _ in batch.turn()) for _ in range(8)]
    assert answered == [True, False] * 4 or answered == [False, True] * 4


def test_the_end_of_the_context_is_the_end(served: Served) -> None:
    base, adapters = served()
    batch = RowBatch(base, adapters)
    row = batch.add(prompt(250), replace(GREEDY, max_tokens=None), "ada")
    drawn = [one for _ in range(40) for one in batch.turn()]
    assert len(drawn) == row.limit == base.context_tokens - 250
    assert not batch.has_work


def test_what_cannot_be_answered_is_refused(served: Served) -> None:
    base, adapters = served()
    batch = RowBatch(base, adapters)
    with pytest.raises(PromptEmpty):
        batch.add([], GREEDY, None)
    with pytest.raises(PromptTooLong):
        batch.add([7] * base.context_tokens, GREEDY, None)
    with pytest.raises(AdapterUnknown):
        batch.add([7], GREEDY, "nobody")
    assert batch.rows == 0


def test_answering_leaves_a_training_model_as_it_was(served: Served) -> None:
    base, adapters = served()
    base.model.train()
    before = torch.random.get_rng_state()
    finish(batch := RowBatch(base, adapters), batch.add([7, 8], SEEDED, "ada"))
    assert all(module.training for module in base.model.modules())
    assert torch.is_grad_enabled()
    assert torch.equal(torch.random.get_rng_state(), before)
    base.model.eval()


def test_what_rows_read_and_say_is_in_no_representation(served: Served) -> None:
    base, adapters = served()
    batch = RowBatch(base, adapters)
    row = batch.add([251, 252, 253], GREEDY, "ada")
    finish(batch, row)
    for kept in (row, *batch._kept, *batch._kept._kept):
        assert "251" not in repr(kept)
