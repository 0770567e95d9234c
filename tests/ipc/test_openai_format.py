"""Answers in OpenAI's shapes: chances, places in the text, and bytes that are no text."""

from ipc.inference import Finished, TextPiece, TokenChance
from ipc.openai_format import ChatAnswers, CompletionAnswers, Counts, Stamp, WholeChoice

STAMP = Stamp(id="x", created=1, model="base")
COUNTS = Counts(prompt=3, completion=4)


def chance(raw: bytes, logprob: float = -1.0, *others: TokenChance) -> TokenChance:
    return TokenChance(
        token=raw.decode(errors="replace"), bytes=tuple(raw), logprob=logprob, likeliest=others
    )


BEE = "🐝".encode()
MARK = TokenChance(token="<|end|>", bytes=(), logprob=-3.0)
CHANCES = (
    chance(b"Oh ", -0.5, chance(b"Ah ", -0.25), MARK),
    chance(BEE[:2], -0.1),
    chance(BEE[2:], -0.2),
    chance(b"!", -0.3),
)
PIECE = TextPiece(text="Oh 🐝!", choice=1, chances=CHANCES)
END = Finished(reason="stop", completion_tokens=4, choice=1)


def test_chances_of_a_chat_carry_their_bytes() -> None:
    shapes = ChatAnswers(chances=True)
    (choice,) = shapes.whole(STAMP, [WholeChoice(piece=PIECE, end=END)], COUNTS)["choices"]
    listed = choice["logprobs"]["content"]
    assert b"".join(bytes(one["bytes"]) for one in listed) == PIECE.text.encode()
    assert listed[0] == {
        "token": "Oh ",
        "logprob": -0.5,
        "bytes": [79, 104, 32],
        "top_logprobs": [
            {"token": "Ah ", "logprob": -0.25, "bytes": [65, 104, 32]},
            {"token": "<|end|>", "logprob": -3.0, "bytes": None},
        ],
    }
    assert (choice["index"], choice["finish_reason"]) == (1, "stop")


def test_chances_of_a_completion_say_where_each_token_begins() -> None:
    logprobs = CompletionAnswers(chances=True).piece(STAMP, PIECE)["choices"][0]["logprobs"]
    assert logprobs == {
        "tokens": ["Oh ", "bytes:\\xf0\\x9f", "bytes:\\x90\\x9d", "!"],
        "token_logprobs": [-0.5, -0.1, -0.2, -0.3],
        "top_logprobs": [
            {"Ah ": -0.25, "<|end|>": -3.0, "Oh ": -0.5},
            {"bytes:\\xf0\\x9f": -0.1},
            {"bytes:\\x90\\x9d": -0.2},
            {"!": -0.3},
        ],
        "text_offset": [0, 3, 3, 4],
    }


def test_places_go_on_from_piece_to_piece_of_each_choice() -> None:
    shapes = CompletionAnswers(chances=True)
    places = []
    for choice, at in ((0, 0), (1, 0), (1, 1), (0, 1), (1, 2), (1, 3)):
        piece = TextPiece(text="", choice=choice, chances=CHANCES[at : at + 1])
        places.append(shapes.piece(STAMP, piece)["choices"][0]["logprobs"]["text_offset"])
    assert places == [[0], [0], [3], [3], [3], [4]]


def test_unasked_there_are_no_chances() -> None:
    for shapes in (ChatAnswers(), CompletionAnswers()):
        assert shapes.piece(STAMP, PIECE)["choices"][0]["logprobs"] is None


def test_an_echo_stands_before_the_answer() -> None:
    shapes = CompletionAnswers(echoed=["a ", "b "])
    whole = shapes.whole(STAMP, [WholeChoice(piece=PIECE, end=END)], COUNTS)
    assert whole["choices"][0]["text"] == "b Oh 🐝!"
    opening = shapes.opening(STAMP, 1)
    assert opening is not None
    assert opening["choices"][0]["text"] == "b "
    assert CompletionAnswers().opening(STAMP, 1) is None
