"""How many people speak in an export of chats, and how many of them are the user.

One document for each chat file that names people; its text is nothing, `about` says the numbers.
Exports that need no name give none.
"""

from collections.abc import Iterator
from typing import BinaryIO

from daemon.extracting import telegram, whatsapp
from daemon.extracting.archives import as_damage
from daemon.extracting.chat_archives import chats_in, is_archive
from daemon.extracting.chats import format_of
from daemon.extracting.extracted import Extracted, Facts


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
    elif export == telegram.FORMAT:
        chats, _ = telegram.survey(file)
        everybody = {person for chat in chats.values() for person in chat.people}
        mine = {p for chat in chats.values() for p in telegram.named(chat.people, facts.me)}
        speakers, named = len(everybody), len(mine)
    else:
        return
    about = {"speakers": f"{speakers}", "named": f"{named}"}
    yield Extracted(path_suffix=path, text="", about=about)
