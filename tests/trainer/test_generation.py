"""Prompts in, text out: the right tokens, whole characters, and an end."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GenerationConfig

from trainer import errors, kv_cache
from trainer.base_model import BaseModel
from trainer.border import Border
from trainer.decoding import Decoder
from trainer.generation import Ended, Piece, generate, sample_rows
from trainer.sampling import SamplingSettings, choose, generator_for, nucleus
from trainer.stop_strings import StopStrings

Load = Callable[..., BaseModel]
GREEDY = SamplingSettings(temperature=0, max_tokens=40)


def answer(
    base: BaseModel, prompt: list[int], settings: SamplingSettings = GREEDY
) -> tuple[str, Ended]:
    *pieces, ended = generate(base, prompt, settings)
    assert isinstance(ended, Ended)
    return "".join(piece.text for piece in pieces if isinstance(piece, Piece)), ended


def prompt_for(base: BaseModel, text: str = "The bees came back to the") -> list[int]:
    return base.tokenizer.encode_prompt(text)


def plain(base: BaseModel, ids: list[int]) -> str:
    return b"".join(map(base.tokenizer.token_bytes, ids)).decode(errors="replace")


# --------------------------------------------------------------------------- passes


@pytest.mark.parametrize("parts", [[30], [1, 29], [20, 5, 5], [10] + [1] * 20])
def test_prefill_and_steps_give_the_logits_of_one_whole_pass(
    load: Load, family: str, parts: list[int]
) -> None:
    base = load(family)
    ids = torch.randint(6, 300, (1, 30), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        whole = base.model(ids).logits
    decoder = Decoder(base.model, expected_tokens=3)
    end = 0
    for part in parts:
        piece = ids[:, end : end + part]
        steps = end > 0 and part == 1
        logits = decoder.step(piece[:, 0]) if steps else decoder.prefill(piece.tolist())
        end += part
        torch.testing.assert_close(logits, whole[:, end - 1], rtol=1e-4, atol=1e-4)


def test_rows_of_different_lengths_do_not_disturb_each_other(load: Load, family: str) -> None:
    base = load(family)
    rows = [[6, 7, 8], [9] * 60, [10, 11, 12, 13, 14]]  # one is longer than a sliding window
    together, alone = Decoder(base.model), [Decoder(base.model) for _ in rows]
    logits = together.prefill(rows)
    singles = torch.cat([one.prefill([row]) for one, row in zip(alone, rows, strict=True)])
    for step in range(4):
        torch.testing.assert_close(logits, singles, rtol=1e-4, atol=1e-4)
        tokens = logits.argmax(-1)
        if step == 1:  # the first row has ended
            together.keep([1, 2])
            tokens, alone = tokens[1:], alone[1:]
        logits = together.step(tokens)
        singles = torch.cat([one.step(token) for one, token in zip(alone, tokens, strict=True)])


def test_many_steps_outgrow_the_room_for_keys_without_harm(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kv_cache, "ROOM_TOKENS", 8)
    base = load("llama")
    ids = torch.randint(6, 300, (1, 255), generator=torch.Generator().manual_seed(4))
    decoder = Decoder(base.model)
    decoder.prefill(ids[:, :1].tolist())
    for place in range(1, 255):
        logits = decoder.step(ids[:, place])
    with torch.no_grad():
        torch.testing.assert_close(logits, base.model(ids).logits[:, -1], rtol=1e-4, atol=1e-4)


def test_decoding_leaves_a_training_model_as_it_was(load: Load) -> None:
    base = load("llama")
    base.model.train()
    before = torch.random.get_rng_state()
    hidden = base.model.get_input_embeddings()(torch.tensor([[1, 2]])).requires_grad_(True)
    answer(base, prompt_for(base), SamplingSettings(max_tokens=3, seed=1))
    assert all(module.training for module in base.model.modules())
    assert torch.is_grad_enabled()
    assert hidden.requires_grad
    assert torch.equal(torch.random.get_rng_state(), before)


# --------------------------------------------------------------------------- answers


def test_bf16_is_no_further_from_the_truth_than_transformers(load: Load, family: str) -> None:
    exact, rounded = load(family, torch.float32), load(family, torch.bfloat16)
    ids = torch.randint(6, 300, (1, 40), generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        truth = exact.model(ids).logits[:, -1]
        theirs = rounded.model(ids).logits[:, -1].float()
    decoder = Decoder(rounded.model)
    for place in range(40):
        ours = decoder.step(ids[:, place]) if place else decoder.prefill(ids[:, :1].tolist())
    assert (ours - truth).norm() < 1.5 * (theirs - truth).norm()


def test_greedy_answers_are_those_of_transformers(load: Load, family: str) -> None:
    base = load(family)
    prompt = prompt_for(base)
    settings = GenerationConfig(
        max_new_tokens=40, do_sample=False, eos_token_id=sorted(base.tokenizer.stop_ids),
        pad_token_id=2,
    )  # fmt: skip
    inputs = torch.tensor([prompt])
    model: Any = base.model
    theirs = model.generate(
        inputs, attention_mask=torch.ones_like(inputs), generation_config=settings
    )[0, len(prompt) :].tolist()
    text, ended = answer(base, prompt)
    if theirs[-1] in base.tokenizer.stop_ids:
        theirs = theirs[:-1]
        assert ended.reason == "stop"
    assert text == plain(base, theirs)
    assert ended.completion_tokens == len(theirs)


def test_the_same_seed_gives_the_same_answer_and_another_seed_another(load: Load) -> None:
    base = load("llama")
    texts = [
        answer(base, prompt_for(base), SamplingSettings(seed=seed, temperature=2.0, max_tokens=30))[
            0
        ]
        for seed in (5, 5, 6)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_without_a_seed_answers_differ(load: Load) -> None:
    base = load("llama")
    hot = SamplingSettings(temperature=3.0, top_p=1.0, max_tokens=30)
    assert len({answer(base, prompt_for(base), hot)[0] for _ in range(4)}) > 1


def test_an_end_mark_ends_the_answer_and_is_not_shown(load: Load) -> None:
    base = load("llama")
    with torch.no_grad():  # a head that wants nothing but the end
        base.model.get_output_embeddings().weight = torch.nn.Parameter(
            torch.zeros(base.model.config.vocab_size, 64), requires_grad=False
        )
        base.model.get_output_embeddings().weight[1] = 1.0
        base.model.model.norm.weight = torch.nn.Parameter(torch.ones(64), requires_grad=False)
        base.model.model.embed_tokens.weight = torch.nn.Parameter(
            torch.ones_like(base.model.model.embed_tokens.weight), requires_grad=False
        )
        for layer in base.model.model.layers:
            for norm in (layer.input_layernorm, layer.post_attention_layernorm):
                norm.weight = torch.nn.Parameter(torch.zeros(64), requires_grad=False)
    assert answer(base, prompt_for(base)) == (
        "",
        Ended(reason="stop", prompt_tokens=len(prompt_for(base)), completion_tokens=0),
    )


def test_a_stop_string_across_tokens_ends_the_answer_and_is_not_shown(load: Load) -> None:
    base = load("qwen2")
    full, _ = answer(base, prompt_for(base))
    # a random model speaks in tokens of one to three characters, some of them no UTF-8
    stop = next(part for at in range(4, 40) if "\ufffd" not in (part := full[at : at + 4]))
    assert len(stop) == 4
    text, ended = answer(
        base, prompt_for(base), SamplingSettings(temperature=0, max_tokens=40, stop=(stop,))
    )
    assert text == full[: full.index(stop)]
    assert ended.reason == "stop"


def test_max_tokens_ends_the_answer(load: Load) -> None:
    base = load("qwen3")
    _, ended = answer(base, prompt_for(base), SamplingSettings(temperature=0, max_tokens=5))
    assert (ended.reason, ended.completion_tokens) == ("length", 5)


def test_the_end_of_the_context_ends_the_answer(load: Load) -> None:
    base = load("qwen3")
    prompt = [6 + place % 250 for place in range(250)]
    _, ended = answer(base, prompt, SamplingSettings(temperature=0))
    assert (ended.reason, ended.completion_tokens) == ("length", 6)


def test_a_prompt_that_fills_the_context_is_refused_with_its_length(load: Load) -> None:
    base = load("llama")
    with pytest.raises(errors.PromptTooLong, match=r"256 tokens.*at most 255"):
        generate(base, [7] * 256, GREEDY)


def test_an_empty_prompt_is_refused(load: Load) -> None:
    with pytest.raises(errors.PromptEmpty):
        generate(load("llama"), [], GREEDY)


def test_a_listener_who_leaves_ends_the_answer_at_the_next_token(load: Load) -> None:
    base = load("qwen3")
    asked = 0

    def left() -> bool:
        nonlocal asked
        asked += 1
        return asked > 4  # once before the prompt, then after each token

    *_, ended = generate(base, prompt_for(base), GREEDY, should_stop=left)
    assert isinstance(ended, Ended)
    assert (ended.reason, ended.completion_tokens) == ("cancelled", 4)


def test_the_adapter_is_active_in_each_pass_and_not_between(load: Load) -> None:
    base = load("llama")
    active: list[bool] = []
    passes = 0

    @contextlib.contextmanager
    def activate() -> Iterator[None]:
        nonlocal passes
        passes += 1
        active.append(True)
        yield
        active.pop()

    def between() -> None:
        assert not active

    events = generate(
        base, prompt_for(base), SamplingSettings(temperature=0, max_tokens=4), activate=activate,
        between_tokens=between,
    )  # fmt: skip
    for _ in events:
        assert not active
    assert passes == 4


# --------------------------------------------------------------------------- the base's own text


def test_general_samples_are_the_same_for_the_same_seed(load: Load) -> None:
    base = load("llama")
    rows = sample_rows(base, 5, 24, seed=9, rows_at_once=2)
    assert rows.shape == (5, 24)
    assert rows.dtype == np.int32
    assert (rows[::4, 0] == base.tokenizer.begin_id).all()
    ordinary = [1, 2, 3]
    assert (rows[ordinary, 0] != base.tokenizer.begin_id).all()  # drawn from the vocabulary
    assert rows.min() >= 0
    assert rows.max() < base.tokenizer.vocabulary
    assert np.array_equal(rows, sample_rows(base, 5, 24, seed=9, rows_at_once=2))
    assert not np.array_equal(rows, sample_rows(base, 5, 24, seed=10, rows_at_once=2))
    assert len({row.tobytes() for row in rows}) == 5


def test_general_samples_are_the_same_wherever_a_pass_was_dropped(load: Load) -> None:
    base = load("llama")
    whole = sample_rows(base, 5, 12, seed=9)
    asked = 0

    def wanted() -> bool:
        nonlocal asked
        asked += 1
        return asked % 5 == 0  # there are three borders in a pass

    found = sample_rows(base, 5, 12, seed=9, border=Border(wanted))
    assert asked > 36
    assert np.array_equal(found, whole)


def test_general_samples_follow_the_models_probabilities(load: Load) -> None:
    base = load("llama")
    with torch.no_grad():
        logits = base.model(torch.tensor([[base.tokenizer.begin_id]])).logits[0, -1].float()
    wanted = logits[: base.tokenizer.vocabulary].softmax(-1)
    drawn = sample_rows(base, 8000, 2, seed=1, rows_at_once=8000)[::4, 1]  # after the mark
    likeliest = int(wanted.argmax())
    share = float((drawn == likeliest).mean())
    assert abs(share - float(wanted[likeliest])) < 5 * (0.25 / 2000) ** 0.5


# --------------------------------------------------------------------------- drawing


def test_the_nucleus_is_the_fewest_likeliest_tokens() -> None:
    row = torch.tensor([[0.1, 0.5, 0.25, 0.15]])
    assert nucleus(row, 0.7).tolist() == [[0, 0.5, 0.25, 0]]
    assert nucleus(row, 0.01).tolist() == [[0, 0.5, 0, 0]]


def test_greedy_takes_the_likeliest_of_each_row() -> None:
    logits = torch.tensor([[0.0, 2.0, 1.0], [5.0, 2.0, 1.0]])
    drawn = choose(logits, SamplingSettings(temperature=0), generator_for(1, torch.device("cpu")))
    assert drawn.tolist() == [1, 0]


def test_huge_logits_and_tiny_temperatures_are_no_trouble() -> None:
    logits = torch.tensor([[1e30, -1e30, 0.0]])
    settings = SamplingSettings(temperature=1e-6)
    assert choose(logits, settings, generator_for(2**63, torch.device("cpu"))).tolist() == [0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_tokens": 0}, {"temperature": -0.1}, {"temperature": float("nan")}, {"top_p": 0.0},
        {"top_p": 1.1}, {"top_p": float("nan")}, {"stop": ("a", "")},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(errors.BadSampling):
        SamplingSettings(**wrong)  # type: ignore[arg-type]


# --------------------------------------------------------------------------- stop strings


@settings(deadline=None)
@given(
    pieces=st.lists(st.text("ab\n", max_size=4)),
    stops=st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=3),
)
def test_stop_strings_show_everything_before_the_first_and_nothing_after(
    pieces: list[str], stops: list[str]
) -> None:
    scanner = StopStrings(stops)
    shown = ""
    for piece in pieces:
        shown += scanner.push(piece)
        if scanner.hit:
            break
    shown += scanner.finish()
    text = "".join(pieces)
    assert text.startswith(shown)
    assert scanner.hit == any(stop in text for stop in stops)
    if scanner.hit:
        assert not any(stop in shown for stop in stops)
        assert any(text[len(shown) :].startswith(stop) for stop in stops)
    else:
        assert shown == text


def test_only_what_may_become_a_stop_string_is_held_back() -> None:
    scanner = StopStrings(["\nUser:"])
    assert scanner.push("Yes.\nUs") == "Yes."
    assert scanner.push("ually") == "\nUsually"
