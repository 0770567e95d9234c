"""What a line in a conversation means: a question, or a command and its argument. Pure.

Says what is to be done next and knows nothing of how.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

from daemon.cli.chat_talk import Talk

HOTTEST = 2.0  # as the API bounds it


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """As `/help` and the completion show it."""

    name: str
    argument: str
    does: str


COMMANDS = (
    Command(name="/model", argument="[NAME]", does="the models that can be asked; ask this one"),
    Command(
        name="/compare",
        argument="[TEXT]",
        does="the plain base's answer and the personal one; without a text, to the last question",
    ),
    Command(name="/retry", argument="", does="ask the last question again"),
    Command(name="/good", argument="", does="the last answer was good: learned before others"),
    Command(name="/bad", argument="", does="it was not: left out of what is learned"),
    Command(
        name="/forget-this",
        argument="[all]",
        does="take the last exchange, or all of this conversation, out of the vault",
    ),
    Command(name="/private", argument="", does="keep what follows out of the vault, or no longer"),
    Command(
        name="/system", argument="[TEXT]", does="what the model is told first; `-` takes it away"
    ),
    Command(
        name="/temperature", argument="[X]", does="0 is always the likeliest; `-` is the default"
    ),
    Command(name="/new", argument="", does="begin anew; nothing that was said is sent any more"),
    Command(name="/help", argument="", does="this list"),
    Command(name="/quit", argument="", does="leave, as Ctrl-D does"),
)
NAMES = tuple(command.name for command in COMMANDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    question: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    question: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """What the answer with this id was worth."""

    id: str
    good: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetThis:
    """Take what was said with these answers out of the vault."""

    ids: tuple[str, ...]
    everything: bool  # of this conversation


@dataclass(frozen=True, slots=True, kw_only=True)
class UseModel:
    name: str | None  # None: show them


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    sentence: str = field(repr=False)  # a system prompt may stand in it
    wrong: bool = False  # nothing came of the line


@dataclass(frozen=True, slots=True, kw_only=True)
class Do:
    what: Literal["help", "leave", "nothing"]


Act = Ask | Compare | Judge | ForgetThis | UseModel | Say | Do


def understood(talk: Talk, line: str, *, typed: bool) -> tuple[Talk, Act]:
    """The conversation as it is now, and what is to be done.

    Args:
        typed: by a person, who is told of a command that is not known; from a pipe such a line is
            a question. Two slashes begin a question with one.
    """
    said = line.strip()
    if not said:
        return talk, Do(what="nothing")
    if not said.startswith("/"):
        return talk, Ask(question=line)
    if said.startswith("//"):
        return talk, Ask(question=said[1:])
    name, *rest = said.split(maxsplit=1)
    if name in NAMES:
        return _command(talk, name, "".join(rest))
    if not typed:
        return talk, Ask(question=line)
    return talk, _wrong(f"There is no command of that name{_meant(name)}; /help lists them.")


def _meant(name: str) -> str:
    """The only command that begins so, if there is one."""
    like = [known for known in NAMES if known.startswith(name)] if len(name) > 1 else []
    return f" (is it {like[0]}?)" if len(like) == 1 else ""


def _wrong(sentence: str) -> Say:
    return Say(sentence=sentence, wrong=True)


def _command(talk: Talk, name: str, argument: str) -> tuple[Talk, Act]:
    match name:
        case "/model":
            return talk, UseModel(name=argument or None)
        case "/compare":
            return _compare(talk, argument)
        case "/retry":
            return _retry(talk)
        case "/good" | "/bad":
            return talk, _judged(talk, good=name == "/good")
        case "/forget-this":
            return talk, _forget_this(talk, argument)
        case "/private":
            now = replace(talk, train=not talk.train)
            return now, Say(sentence=PRIVATE if not now.train else NOT_PRIVATE)
        case "/system":
            return _system(talk, argument)
        case "/temperature":
            return _temperature(talk, argument)
        case "/new":
            return talk.begun_anew(), Say(sentence="A new conversation.")
        case "/help":
            return talk, Do(what="help")
        case _:
            return talk, Do(what="leave")


PRIVATE = "What follows is kept out of the vault, also where chats are collected."
NOT_PRIVATE = "What follows is collected, if there is a source of kind conversations."
NO_QUESTION = "There is no question yet to ask again."
NO_ANSWER = "There is no answer yet to say that of."


def _compare(talk: Talk, argument: str) -> tuple[Talk, Act]:
    if argument:
        return talk, Compare(question=argument)
    again = talk.again()
    if again is None:
        return talk, _wrong(NO_QUESTION)
    return again[0], Compare(question=again[1])


def _retry(talk: Talk) -> tuple[Talk, Act]:
    again = talk.again()
    return (talk, _wrong(NO_QUESTION)) if again is None else (again[0], Ask(question=again[1]))


def _judged(talk: Talk, *, good: bool) -> Act:
    if not talk.turns:
        return _wrong(NO_ANSWER)
    if talk.last_id is None:
        return _wrong("The last answer was stopped, so it is not kept in any case.")
    return Judge(id=talk.last_id, good=good)


def _forget_this(talk: Talk, argument: str) -> Act:
    if argument not in ("", "all"):
        return _wrong("Say /forget-this for the last exchange, or /forget-this all.")
    if argument == "all":
        if not talk.ids:
            return _wrong("Nothing was answered in this conversation, so nothing of it is kept.")
        return ForgetThis(ids=talk.ids, everything=True)
    if talk.last_id is None:
        return _wrong(
            "The last answer was stopped, so it is not kept in any case."
            if talk.turns
            else "Nothing was answered in this conversation, so nothing of it is kept."
        )
    return ForgetThis(ids=(talk.last_id,), everything=False)


def _system(talk: Talk, argument: str) -> tuple[Talk, Act]:
    if not argument:
        told = "nothing" if talk.system is None else talk.system
        return talk, Say(sentence=f"The model is told first: {told}")
    if argument == "-":
        return replace(talk, system=None), Say(sentence="The model is told nothing first.")
    return replace(talk, system=argument), Say(
        sentence="From the next question on it is told that."
    )


def _temperature(talk: Talk, argument: str) -> tuple[Talk, Act]:
    if not argument:
        return talk, Say(sentence=f"The temperature is {talk.sampling.temperature:g}.")
    if argument == "-":
        now = replace(talk, temperature=None)
    else:
        try:
            given = float(argument.replace(",", "."))
        except ValueError:
            given = -1.0
        if not 0 <= given <= HOTTEST:
            return talk, _wrong(f"A temperature is a number from 0 to {HOTTEST:g}.")
        now = replace(talk, temperature=given)
    return now, Say(sentence=f"The temperature is {now.sampling.temperature:g}.")
