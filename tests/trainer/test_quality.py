"""What teaches nothing is left out by a named rule; what somebody wrote stays, whatever it is."""

import pytest

from storage.records import SpokenTurn
from tests.trainer.written_texts import WRITTEN, machine_made
from trainer.judged_text import LOOKED_AT, judged
from trainer.quality import OWN, REASONS, RULES, quality, reason_against, without_shared

MACHINE_MADE = machine_made()
PROSE = WRITTEN["German"]


def reason(text: str, **about: str) -> str | None:
    return reason_against(judged(text, about=about))


def spoken(*said: tuple[bool, str]) -> tuple[str, tuple[SpokenTurn, ...]]:
    text, turns = "", []
    for own, words in said:
        start = len(text)
        text += words
        turns.append(SpokenTurn(own=own, speaker="me" if own else "A", start=start, end=len(text)))
        text += "\n"
    return text, tuple(turns)


@pytest.mark.parametrize("kind", WRITTEN)
def test_what_somebody_wrote_stays(kind: str) -> None:
    assert reason(WRITTEN[kind]) is None


@pytest.mark.parametrize(
    ("rule", "number"),
    [(rule, n) for rule, texts in MACHINE_MADE.items() for n in range(len(texts))],
)
def test_what_nobody_wrote_is_left_out_by_its_rule(rule: str, number: int) -> None:
    assert reason(MACHINE_MADE[rule][number]) == rule


@pytest.mark.parametrize("rule", ["log", "stack_trace", "lock_file", "encoded", "settings"])
def test_a_page_with_some_of_it_stays(rule: str) -> None:
    quoted = MACHINE_MADE[rule][0][:600]
    page = "\n\n".join(WRITTEN[kind] for kind in ("a recipe", "Russian", "a log of a journey"))
    assert reason(f"{page}\n\n{quoted}\n\n{page.upper()}") is None


def test_every_rule_has_a_text_that_it_is_tried_on_and_words_for_the_user() -> None:
    names = {rule.__name__ for rule in RULES}
    assert names - MACHINE_MADE.keys() == {"rated_bad", "nothing_own"}
    assert names <= REASONS.keys()


def test_what_the_user_rated_bad_is_left_out() -> None:
    assert reason(PROSE, quality="bad") == "rated_bad"
    assert reason(PROSE, quality="good") is None


def test_a_conversation_of_others_holds_nothing_to_learn() -> None:
    text, turns = spoken((False, PROSE), (False, "Ja, genau so war es, ich erinnere mich gut."))
    assert reason_against(judged(text, turns=turns, about={})) == "nothing_own"


def test_a_conversation_in_which_the_user_says_one_word_is_too_short() -> None:
    text, turns = spoken((False, PROSE), (True, "Gut."))
    assert reason_against(judged(text, turns=turns, about={})) == "too_short"


def test_an_answer_to_a_notice_is_the_users() -> None:
    mine = "I was at home all day between ten and two, and nobody came but the heron."
    text, turns = spoken((False, MACHINE_MADE["generated_mail"][0]), (True, mine))
    assert reason_against(judged(text, turns=turns, about={})) is None


def test_a_chat_whose_lines_begin_with_times_is_no_log() -> None:
    said = [(n % 2 == 0, f"12:0{n}:00 INFO? no, I mean the boat, number {n}") for n in range(8)]
    text, turns = spoken(*said)
    assert reason_against(judged(text, turns=turns, about={})) is None


def test_a_long_file_is_judged_by_its_parts() -> None:
    log = MACHINE_MADE["log"][0]
    long = log * (5 * LOOKED_AT // len(log))
    assert reason(long) == "log"
    assert len(judged(long, about={}).text) < 3 * LOOKED_AT + 10


# --------------------------------------------------------------------------- the best first


def worth(text: str, *, own: bool = True, **about: str) -> float:
    return quality(judged(text, own=own, about=about))


def test_the_users_own_comes_before_all_that_others_wrote() -> None:
    own = [worth(text) for text in WRITTEN.values()]
    read = [worth(text, own=False) for text in WRITTEN.values()]
    assert max(read) < OWN <= min(own)
    assert max(own) <= 1
    assert min(read) >= 0


def test_prose_comes_before_lists_and_long_before_short() -> None:
    assert worth(PROSE) > worth(WRITTEN["a shopping list"])
    assert worth(WRITTEN["Chinese"]) > worth(WRITTEN["a short letter"])
    assert worth(PROSE) > worth("Liebe Oona, " * 30)


def test_what_the_user_called_good_comes_first() -> None:
    good = worth(WRITTEN["a short letter"], quality="good")
    assert good > max(worth(text) for text in WRITTEN.values())


def test_who_says_more_in_a_conversation_is_learned_from_first() -> None:
    short, long = WRITTEN["a short letter"], WRITTEN["a recipe"]
    listening, heard = spoken((False, long), (True, short)), spoken((False, short), (True, short))
    worths = [quality(judged(text, turns=turns, about={})) for text, turns in (listening, heard)]
    assert worths[0] < worths[1]


def test_shared_lines_count_nothing_and_own_text_stays_before_others() -> None:
    assert without_shared(0.9, 0.5) == pytest.approx(0.7)
    assert without_shared(0.9, 1.0) == OWN
    assert without_shared(0.4, 1.0) == 0


def test_no_text_stands_in_a_repr() -> None:
    assert "Oona" not in repr(judged(PROSE, about={}))
