"""A conversation without a terminal: what a line means, and what is sent for the next answer."""

import pytest

from daemon.cli.chat_commands import (
    COMMANDS,
    NAMES,
    Act,
    Ask,
    Compare,
    Do,
    ForgetThis,
    Judge,
    Say,
    UseModel,
    understood,
)
from daemon.cli.chat_conversation import help_text, models_text, named
from daemon.cli.chat_talk import Talk
from daemon.cli.chat_terminal import completions
from ipc.inference import ModelInfo, Sampling

TALK = Talk().answered("Where are the bees?", "In the quince.", "one")
LONGER = TALK.answered("And the swarm?", "Gone.", "two")
MODELS = [
    ModelInfo(id=name, created=0)
    for name in ("personal", "base", "personal@0123456789ab", "personal@0199", "personal@fe")
]


def act(talk: Talk, line: str, *, typed: bool = True) -> Act:
    return understood(talk, line, typed=typed)[1]


def talk_after(talk: Talk, *lines: str) -> Talk:
    for line in lines:
        talk, _ = understood(talk, line, typed=True)
    return talk


def said(talk: Talk, line: str) -> str:
    """What is answered at once to a line of which something came."""
    found = act(talk, line)
    assert isinstance(found, Say)
    assert not found.wrong
    return found.sentence


def wrong(talk: Talk, line: str) -> str:
    """The complaint about a line of which nothing came."""
    after, found = understood(talk, line, typed=True)
    assert isinstance(found, Say)
    assert found.wrong
    assert after == talk
    return found.sentence


# --------------------------------------------------------------------------- what is sent


def test_all_that_was_said_is_sent_with_the_system_prompt_first() -> None:
    talk = talk_after(LONGER, "/system You are a beekeeper.")

    assert [(one["role"], one["content"]) for one in talk.messages("Why?")] == [
        ("system", "You are a beekeeper."),
        ("user", "Where are the bees?"),
        ("assistant", "In the quince."),
        ("user", "And the swarm?"),
        ("assistant", "Gone."),
        ("user", "Why?"),
    ]
    assert Talk().messages("Why?") == [{"role": "user", "content": "Why?"}]


def test_a_conversation_that_is_too_long_loses_its_beginning_and_keeps_its_ids() -> None:
    shorter = LONGER.shortened()

    assert shorter is not None
    assert [turn.question for turn in shorter.turns] == ["And the swarm?"]
    assert shorter.ids == ("one", "two")
    assert Talk().shortened() is None


def test_a_question_that_failed_is_asked_again_and_else_the_last_one() -> None:
    again = TALK.failed("And now?").again()
    assert again is not None
    assert (again[0].turns, again[1]) == (TALK.turns, "And now?")
    last = LONGER.again()
    assert last is not None
    assert (last[0].turns, last[1]) == (TALK.turns, "And the swarm?")
    assert Talk().again() is None
    assert TALK.failed("x").answered("y", "z", None).unanswered is None


def test_what_was_forgotten_is_not_sent_any_more() -> None:
    assert [turn.id for turn in LONGER.without(["one"]).turns] == ["two"]
    assert LONGER.without(["one", "two"]).messages("?") == Talk().messages("?")


def test_nothing_that_was_said_shows_in_what_is_printed_of_it() -> None:
    talk = talk_after(LONGER.failed("the clavichord"), "/system the organ")
    shown = repr(talk) + repr(act(talk, "the harpsichord")) + repr(act(talk, "/system"))

    assert not any(word in shown for word in ("quince", "clavichord", "organ", "harpsichord"))


# --------------------------------------------------------------------------- what a line means


def test_a_line_is_a_question_or_a_command() -> None:
    for line, meant in {
        "How are you?": Ask(question="How are you?"),
        "one\ntwo": Ask(question="one\ntwo"),
        "//etc is a folder": Ask(question="/etc is a folder"),
        "  ": Do(what="nothing"),
        "/help": Do(what="help"),
        " /quit ": Do(what="leave"),
        "/model": UseModel(name=None),
        "/model base": UseModel(name="base"),
        "/compare And now?": Compare(question="And now?"),
        "/compare\nin two\nlines": Compare(question="in two\nlines"),
        "/good": Judge(id="two", good=True),
        "/bad": Judge(id="two", good=False),
        "/forget-this": ForgetThis(ids=("two",), everything=False),
        "/forget-this all": ForgetThis(ids=("one", "two"), everything=True),
    }.items():
        assert understood(LONGER, line, typed=True) == (LONGER, meant), line


def test_asking_again_takes_the_last_answer_out_of_what_is_sent() -> None:
    before, again = understood(LONGER, "/retry", typed=True)
    assert (before.turns, again) == (TALK.turns, Ask(question="And the swarm?"))
    assert understood(LONGER, "/compare", typed=True)[1] == Compare(question="And the swarm?")
    assert talk_after(LONGER, "/new") == Talk()


def test_the_terms_can_be_changed() -> None:
    assert talk_after(TALK, "/private").train is False
    assert talk_after(TALK, "/private", "/private") == TALK
    assert talk_after(TALK, "/temperature 0,3").sampling == Sampling(
        max_tokens=512, temperature=0.3
    )
    assert talk_after(TALK, "/temperature 0.3", "/temperature -") == TALK
    assert talk_after(TALK, "/system Be brief.", "/system -") == TALK
    assert said(talk_after(TALK, "/system Be brief."), "/system").endswith("Be brief.")
    assert said(TALK, "/temperature") == "The temperature is 0.7."


@pytest.mark.parametrize(
    ("talk", "line", "complaint"),
    [
        (TALK, "/nothing at all", "There is no command of that name; /help lists them."),
        (TALK, "/te", "(is it /temperature?)"),
        (TALK, "/", "no command of that name; /help"),
        (TALK, "/temperature hot", "a number from 0 to 2"),
        (TALK, "/temperature 2.1", "a number from 0 to 2"),
        (TALK, "/temperature nan", "a number from 0 to 2"),
        (TALK, "/forget-this please", "/forget-this all"),
        (Talk(), "/forget-this", "Nothing was answered"),
        (Talk(), "/forget-this all", "Nothing was answered"),
        (Talk(), "/good", "no answer yet"),
        (Talk(), "/retry", "no question yet"),
        (Talk(), "/compare", "no question yet"),
        (TALK.answered("q", "a", None), "/bad", "was stopped"),
        (TALK.answered("q", "a", None), "/forget-this", "was stopped"),
    ],
)
def test_a_line_of_which_nothing_comes_says_why(talk: Talk, line: str, complaint: str) -> None:
    assert complaint in wrong(talk, line)


def test_from_a_pipe_what_is_no_command_is_a_question() -> None:
    assert act(TALK, "/usr is full. Why?", typed=False) == Ask(question="/usr is full. Why?")
    assert act(TALK, "/good", typed=False) == Judge(id="one", good=True)


def test_help_names_every_command_and_completion_finds_them() -> None:
    assert all(name in help_text() for name in NAMES)
    assert len(completions("/", [])) == len(COMMANDS)
    for typed, found in {
        "/te": [("/temperature ", -3)],
        "/pri": [("/private", -4)],
        "/model per": [("personal", -3)],
        "/forget-this ": [("all", 0)],
        "/good x": [],
        "hello /te": [],
        "/x\n/te": [],
    }.items():
        assert completions(typed, ["base", "personal"]) == found, typed


def test_a_model_has_a_name_or_the_beginning_of_one() -> None:
    for name, found in {
        "base": "base",
        "personal": "personal",
        "personal@0123": "personal@0123456789ab",
        "fe": "personal@fe",
        "personal@01": None,
        "personal@": None,
        "gpt": None,
    }.items():
        assert named(MODELS, name) == found, name
    lines = models_text(MODELS, "base").splitlines()
    assert [line.split()[:2] for line in lines if line.startswith("*")] == [["*", "base"]]
