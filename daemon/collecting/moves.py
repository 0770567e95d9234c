"""Duplicates that are none: the same text at a new place, and no file at the old one any more.

The item moves along, so that an edit is its next version and not a second document.
"""

import asyncio
from collections.abc import Callable, Mapping

from daemon.collecting.store import DocumentStore
from storage.moving import Move
from storage.records import RedactedDocument

Gone = Callable[[str, str], bool]


async def take_along(
    store: DocumentStore, twins: Mapping[int, RedactedDocument], gone: Gone
) -> set[int]:
    """Move the items of these documents to the places where their text was found.

    Args:
        twins: what was found, by the number of the document that holds the text already.
        gone: whether the file at a source's path is not there any more; called in a thread.

    Returns:
        the documents whose items moved.
    """
    if not twins:
        return set()
    places = await store.places(twins.keys())

    def those_gone() -> list[Move]:
        return [
            Move(document_id=number, source=found.source, path=found.path)
            for number, found in twins.items()
            if number in places
            and places[number] != (found.source, found.path)
            and gone(*places[number])
        ]

    moves = await asyncio.to_thread(those_gone)
    return await store.move(moves) if moves else set()
