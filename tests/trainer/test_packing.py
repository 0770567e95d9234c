"""Rows: every token once, no padding, and no document sees another."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.base_model import BaseModel
from trainer.examples import GENERAL_KEY, PADDING_KEY, Role, Row, TrainingExample
from trainer.loss import target_nats
from trainer.packing import PADDING_PART, batches, pack_rows, stack

Load = Callable[..., BaseModel]


def example(key: int, ids: list[int], *, own_from: int = 1) -> TrainingExample:
    """A document whose tokens from `own_from` on are targets."""
    mask = np.arange(len(ids)) >= own_from
    return TrainingExample(
        key=key, role=Role.NEW, ids=np.asarray(ids, dtype=np.int32), loss_mask=mask
    )


@st.composite
def documents(draw: st.DrawFn) -> list[TrainingExample]:
    """Documents whose tokens are all different, so that each can be followed."""
    sizes = draw(st.lists(st.integers(1, 30), max_size=8))
    starts = np.cumsum([0, *sizes]).tolist()
    return [
        example(key, list(range(start, start + size)), own_from=draw(st.integers(1, size)))
        for key, (start, size) in enumerate(zip(starts, sizes))
    ]


# --------------------------------------------------------------------------- rows


@settings(deadline=None)
@given(texts=documents(), row_tokens=st.integers(2, 24))
def test_every_token_of_every_document_stands_in_exactly_one_row(
    texts: list[TrainingExample], row_tokens: int
) -> None:
    rows = pack_rows(texts, row_tokens)
    packed = [token for row in rows for token in row.ids.tolist()]
    whole = [token for text in texts for token in text.ids.tolist()]
    # a single token that is left over predicts nothing and makes no row
    assert len(packed) == len(whole) - (len(whole) % row_tokens == 1)
    assert len(set(packed)) == len(packed)
    assert set(packed) <= set(whole)


@settings(deadline=None)
@given(texts=documents(), row_tokens=st.integers(2, 24))
def test_rows_are_full_except_the_last(texts: list[TrainingExample], row_tokens: int) -> None:
    lengths = [len(row.ids) for row in pack_rows(texts, row_tokens)]
    assert all(length == row_tokens for length in lengths[:-1])
    assert all(2 <= length <= row_tokens for length in lengths)


@settings(deadline=None)
@given(texts=documents(), row_tokens=st.integers(2, 24))
def test_targets_are_the_documents_own_but_for_the_first_token_of_a_piece(
    texts: list[TrainingExample], row_tokens: int
) -> None:
    wanted = {t for text in texts for t in text.ids[text.loss_mask].tolist()}
    for row in pack_rows(texts, row_tokens):
        starts = row.position_ids == 0
        assert starts[0]
        expected = np.isin(row.ids, list(wanted)) & ~starts
        assert np.array_equal(row.target_mask, expected)


@settings(deadline=None)
@given(texts=documents(), row_tokens=st.integers(2, 24))
def test_positions_restart_exactly_where_another_piece_begins(
    texts: list[TrainingExample], row_tokens: int
) -> None:
    owner = {token: text.key for text in texts for token in text.ids.tolist()}
    for row in pack_rows(texts, row_tokens):
        assert row.keys.tolist() == [owner[token] for token in row.ids.tolist()]
        for place in range(1, len(row.ids)):
            same = row.keys[place] == row.keys[place - 1]
            assert row.position_ids[place] == (row.position_ids[place - 1] + 1 if same else 0)


@pytest.mark.parametrize("row_tokens", [0, 1])
def test_rows_that_could_hold_no_prediction_are_refused(row_tokens: int) -> None:
    with pytest.raises(ValueError, match="row_tokens"):
        pack_rows([example(1, [1, 2, 3])], row_tokens)


def test_packing_leaves_the_documents_masks_alone() -> None:
    text = example(1, list(range(10)))
    before = text.loss_mask.copy()
    pack_rows([text], 4)
    assert np.array_equal(text.loss_mask, before)


def test_batches_hold_rows_of_one_length_in_order() -> None:
    rows = pack_rows([example(1, list(range(30)))], 8)  # 8, 8, 8, 6
    made = list(batches(rows, 2))
    assert [batch.ids.shape for batch in made] == [(2, 8), (1, 8), (1, 6)]
    assert [token for batch in made for token in batch.ids.ravel().tolist()] == list(range(30))
    assert [batch.tokens for batch in made] == [16, 8, 6]
    assert [batch.targets for batch in made] == [14, 7, 5]


# --------------------------------------------------------------------------- leakage


def nats_by_key(base: BaseModel, row: Row) -> dict[int, torch.Tensor]:
    with torch.no_grad():
        nats = target_nats(base.model, stack([row]))
    keys = torch.from_numpy(row.keys[row.target_mask])
    return {int(key): nats[keys == key] for key in keys.unique()}


def test_a_document_does_not_see_its_neighbours_in_a_row(load: Load, family: str) -> None:
    base = load(family)
    rng = np.random.default_rng(5)

    def ids() -> list[int]:
        return list(rng.integers(6, 300, 60).tolist())

    first, second, third, other = ids(), ids(), ids(), ids()
    (row,) = pack_rows([example(1, first), example(2, second), example(3, third)], 180)
    (changed,) = pack_rows([example(1, other), example(2, second), example(3, third)], 180)
    (alone,) = pack_rows([example(2, second)], 180)
    nats, after = nats_by_key(base, row), nats_by_key(base, changed)
    assert torch.equal(after[2], nats[2])
    assert torch.equal(after[3], nats[3])
    assert not torch.equal(after[1], nats[1])
    torch.testing.assert_close(nats[2], nats_by_key(base, alone)[2], rtol=1e-4, atol=1e-4)


def test_losses_are_those_of_the_whole_logits(load: Load) -> None:
    base = load("llama")
    ids = list(range(6, 46))
    (row,) = pack_rows([example(1, ids, own_from=10)], 40)
    with torch.no_grad():
        logits = base.model(torch.tensor([ids])).logits.float()
        expected = torch.nn.functional.cross_entropy(
            logits[0, 9:-1], torch.tensor(ids[10:]), reduction="none"
        )
        torch.testing.assert_close(target_nats(base.model, stack([row])), expected)


# --------------------------------------------------------------------------- where rows are cut


def sentences(key: int, lengths: list[int], *, start: int = 0) -> TrainingExample:
    """A document of sentences of these lengths, every token another one."""
    borders = tuple(np.cumsum(lengths)[:-1].tolist())
    ids = np.arange(start, start + sum(lengths), dtype=np.int32)
    return TrainingExample(
        key=key, role=Role.NEW, ids=ids, loss_mask=np.ones(len(ids), dtype=bool), borders=borders
    )


def test_what_fits_best_goes_next_and_nothing_is_cut() -> None:
    texts = [sentences(1, [40]), sentences(2, [30]), sentences(3, [24]), sentences(4, [34])]
    rows = pack_rows(texts, 64)
    assert [sorted(set(row.keys.tolist())) for row in rows] == [[1, 3], [2, 4]]
    assert not any((row.keys == PADDING_KEY).any() for row in rows)


def test_where_nothing_fits_the_row_ends_with_a_sentence_and_a_little_padding() -> None:
    texts = [sentences(1, [40]), sentences(2, [11, 12, 40]), sentences(3, [64])]
    first, *_ = pack_rows(texts, 64)
    assert first.keys.tolist() == [1] * 40 + [2] * 23 + [PADDING_KEY]
    assert not first.target_mask[-1]
    assert first.position_ids[-1] == 0


def test_where_no_sentence_ends_near_the_row_is_filled_all_the_same() -> None:
    rows = pack_rows([sentences(1, [40]), sentences(2, [60])], 64)
    assert rows[0].keys.tolist() == [1] * 40 + [2] * 24
    assert rows[1].keys.tolist() == [2] * 36


def test_padding_is_no_general_text_and_makes_none_of_it_less_general() -> None:
    text, general = sentences(1, [40, 23]), sentences(GENERAL_KEY, [40, 23])
    (row, _), (other, _) = (
        pack_rows([one, sentences(one.key, [64], start=100)], 64) for one in (text, general)
    )
    assert PADDING_KEY in row.keys
    assert (row.general, other.general) == (False, True)


@settings(deadline=None)
@given(
    sizes=st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=8), max_size=30),
    row_tokens=st.integers(32, 128),
)
def test_padding_stays_below_its_bound_and_no_token_is_lost(
    sizes: list[list[int]], row_tokens: int
) -> None:
    starts = np.cumsum([0, *map(sum, sizes)]).tolist()
    texts = [sentences(n, one, start=at) for n, (one, at) in enumerate(zip(sizes, starts))]
    rows = pack_rows(texts, row_tokens)
    for row in rows:
        assert int((row.keys == PADDING_KEY).sum()) <= row_tokens // PADDING_PART
    packed = [t for row in rows for t in row.ids[row.keys != PADDING_KEY].tolist()]
    assert len(set(packed)) == len(packed)
    assert len(packed) >= starts[-1] - 1


def test_a_document_that_waits_gets_its_turn_among_many_that_fit_better() -> None:
    large = [sentences(0, [60]), *(sentences(n, [64]) for n in range(1, 200))]
    rows = pack_rows([*large[:1], *large[1:]], 64)
    assert 0 in rows[0].keys
