"""Who speaks in an export of chats, and how many of them are the user.

One document for each chat file that names people; `about` says the numbers, and its text are the
first names, a line each, so that the user can say which is theirs. Exports that need no name give
none.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import BinaryIO

from daemon.extracting import telegram, whatsapp
from daemon.extracting.archives import as_damage
from daemon.extracting.chat_archives import chats_in, is_archive
from daemon.extracting.chat_names import shown_name
from daemon.extracting.chats import format_of
from daemon.extracting.extracted import Extracted, Facts

MOST_NAMES = 100


def extract(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    if not is_archive(file):
        yield from _counted(file, facts, "")
        return
    with as_damage():
        for number, (_, chat) in enumerate(chats_in(file)):
            yield from _counted(chat, facts, f"{number}")


def _counted(file: BinaryIO, facts: Facts, path: str) -> Iterator[Extracted]:
    export = format_of(file)
    if export == whatsapp.FORMAT:
        people = whatsapp.survey(file, facts.me).people
        speakers, named = len(people), len(whatsapp.named(people, facts.me))
        names = list(people)
    elif export == telegram.FORMAT:
        chats, _ = telegram.survey(file)
        everybody = {person for chat in chats.values() for person in chat.people}
        mine = {p for chat in chats.values() for p in telegram.named(chat.people, facts.me)}
        speakers, named = len(everybody), len(mine)
        names = [name for chat in chats.values() for one in chat.people.values() for name in one]
    else:
        return
    about = {"speakers": f"{speakers}", "named": f"{named}"}
    yield Extracted(path_suffix=path, text=_lines(names), about=about)


def _lines(names: Iterable[str]) -> str:
    shown = (" ".join(shown_name(name).split()) for name in names)
    return "\n".join(islice(dict.fromkeys(name for name in shown if name), MOST_NAMES))
