"""Tokens in, pieces out: whole characters, nothing of a stop string, chances with their text."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.test_base_tokenizer import sentencepiece_like
from trainer.base_tokenizer import BaseTokenizer, load_tokenizer
from trainer.row_text import Ended, Piece, RowText, TokenChance
from trainer.sampling import Chances, Drawn, SamplingSettings

BUILTIN = Path(__file__).parents[2] / "trainer" / "bases" / "nightloom-16m"
OURS = load_tokenizer(BUILTIN, {"vocab_size": 10**6, "eos_token_id": None})
LLAMA = sentencepiece_like()
FAMILIES = pytest.mark.parametrize("tokenizer", [OURS, LLAMA], ids=["bytes", "sentencepiece"])
BYTES = {
    id(one): {one.token_bytes(t): t for t in reversed(range(one.vocabulary))}
    for one in (OURS, LLAMA)
}
ALPHABET = st.sampled_from(
    [*"ab \n", "é", "e\u0301", "蜂", "蜜", "🐝", "🐝🏽\u200d🌾", "🇪🇺", "\u2028"]
)
TEXTS = st.lists(ALPHABET, max_size=12).map("".join)
STOPS = st.lists(st.lists(ALPHABET, min_size=1, max_size=3).map("".join), max_size=3)


def tokens_of(tokenizer: BaseTokenizer, text: str, *, lone_bytes: bool) -> list[int]:
    if not lone_bytes:
        return tokenizer.encode_text(text)
    known = BYTES[id(tokenizer)]
    space = b" " if tokenizer.starts_with_space else b""
    return [known[bytes([byte])] for byte in space + text.encode()]


def told(
    tokenizer: BaseTokenizer, tokens: list[int], stop: tuple[str, ...] = (), limit: int = 10**6
) -> tuple[list[Piece], Ended]:
    text = RowText(tokenizer, SamplingSettings(stop=stop, logprobs=2), limit, prompt_tokens=5)
    pieces: list[Piece | None] = []
    for place, token in enumerate(tokens):
        if text.ended is not None:
            break
        chances = Chances(logprob=-float(place), likeliest=((token, -1.0), (7, -2.0)))
        pieces.append(text.push(Drawn(token, chances)))
    last, ended = text.finish()
    return [piece for piece in [*pieces, last] if piece is not None], ended


def joined(chances: list[TokenChance]) -> bytes:
    return b"".join(chance.bytes for chance in chances)


@FAMILIES
@settings(deadline=None, max_examples=60)
@given(text=TEXTS, stops=STOPS, lone_bytes=st.booleans())
def test_characters_stay_whole_and_chances_join_to_the_text(
    tokenizer: BaseTokenizer, text: str, stops: list[str], lone_bytes: bool
) -> None:
    tokens = tokens_of(tokenizer, text, lone_bytes=lone_bytes)
    if tokenizer.starts_with_space:  # which is left out, where there is one
        text = b"".join(map(tokenizer.token_bytes, tokens)).decode().removeprefix(" ")
    pieces, ended = told(tokenizer, tokens, tuple(stops))
    shown, chances = "", list[TokenChance]()
    for piece in pieces:
        shown += piece.text
        chances += piece.chances
        assert "\ufffd" not in piece.text
        if piece is not pieces[-1]:
            assert shown.encode().startswith(joined(chances)), "no chance comes before its text"
    hit = any(stop in text for stop in stops)
    assert text.startswith(shown)
    assert joined(chances).startswith(shown.encode())
    assert [chance.logprob for chance in chances] == [-float(n) for n in range(len(chances))]
    if hit:
        assert ended.reason == "stop"
        assert any(text[len(shown) :].startswith(stop) for stop in stops)
        assert not any(stop in shown for stop in stops)
        assert not chances or not joined(chances[:-1]).startswith(shown.encode() or b"?")
    else:
        assert (shown, joined(chances)) == (text, text.encode())
        assert (ended.reason, ended.completion_tokens) == ("cancelled", len(tokens))
    assert ended.prompt_tokens == 5


@FAMILIES
def test_a_stop_string_of_several_bytes_is_found_across_tokens(tokenizer: BaseTokenizer) -> None:
    tokens = tokens_of(tokenizer, "ab🐝蜂cd", lone_bytes=True)
    pieces, ended = told(tokenizer, tokens, ("🐝蜂",))
    assert "".join(piece.text for piece in pieces) == "ab"
    assert joined([chance for piece in pieces for chance in piece.chances]) == b"ab"
    assert ended.reason == "stop"
    assert ended.completion_tokens == len(tokens) - 2  # the letters after it were not drawn


def test_a_stop_string_within_a_token_leaves_the_chance_of_the_whole_token() -> None:
    token = next(t for t in range(OURS.vocabulary) if OURS.token_bytes(t) == b" the")
    pieces, _ = told(OURS, [token], ("he",))
    assert "".join(piece.text for piece in pieces) == " t"
    assert [chance.bytes for piece in pieces for chance in piece.chances] == [b" the"]


def test_a_character_cut_at_the_end_is_shown_as_such_with_its_bytes() -> None:
    pieces, _ = told(OURS, tokens_of(OURS, "a🐝", lone_bytes=True)[:-1])
    assert "".join(piece.text for piece in pieces) == "a\ufffd"
    assert joined([c for piece in pieces for c in piece.chances]) == "a🐝".encode()[:-1]


def test_the_length_ends_the_text_and_what_was_held_back_is_shown() -> None:
    tokens = tokens_of(OURS, "ab\nUsual", lone_bytes=True)
    pieces, ended = told(OURS, tokens, ("\nUser",), limit=5)
    assert "".join(piece.text for piece in pieces) == "ab\nUs"
    assert (ended.reason, ended.completion_tokens) == ("length", 5)


def test_an_end_mark_ends_the_text_and_has_no_chance() -> None:
    mark = min(OURS.stop_ids)
    pieces, ended = told(OURS, [*tokens_of(OURS, "ab", lone_bytes=True), mark])
    assert "".join(piece.text for piece in pieces) == "ab"
    assert len([chance for piece in pieces for chance in piece.chances]) == 2
    assert (ended.reason, ended.completion_tokens) == ("stop", 2)


def test_marks_among_the_likeliest_go_by_their_names() -> None:
    mark = min(OURS.stop_ids)
    text = RowText(OURS, SamplingSettings(logprobs=1), 9)
    letter = tokens_of(OURS, "a", lone_bytes=True)[0]
    piece = text.push(Drawn(letter, Chances(logprob=-1.0, likeliest=((mark, -0.5),))))
    assert piece is not None
    (other,) = piece.chances[0].likeliest
    assert (other.token, other.bytes) == (OURS.mark_name(mark), b"")
    assert other.token.startswith("<|")


def test_without_chances_there_are_none() -> None:
    text = RowText(OURS, SamplingSettings(), 9)
    piece = text.push(Drawn(tokens_of(OURS, "a", lone_bytes=True)[0]))
    assert piece == Piece(text="a")


def test_text_does_not_show_in_a_repr() -> None:
    pieces, _ = told(OURS, OURS.encode_text("A secret of the bees."))
    assert "secret" not in repr(pieces)
