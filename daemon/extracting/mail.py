"""Mail: `mbox` and `eml` give what the user sent, `letters` what others wrote whom he
answered.

A reply comes with the words that it quotes as the other's turn; the service exchanges them for the
letter that was answered, where it knows it. That is what `answers` in `about` is for: digests of
Message-IDs, nearest first. What was left out is counted in a last document without text.

An mbox file may begin and end anywhere between two messages: `facts.size` bytes are read from where
the file stands.
"""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC
from email import message_from_bytes
from email.policy import compat32
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import BinaryIO

from daemon.extracting.extracted import Extracted, Facts
from daemon.extracting.mail_automatic import rule_against
from daemon.extracting.mail_body import Mail, text_of
from daemon.extracting.mail_heads import id_digest
from daemon.extracting.mail_people import Me, Pseudonyms, field_of, people_in
from daemon.extracting.mail_quotes import Block, blocks_of, is_inline, joined, without_closing
from daemon.extracting.mail_turns import Said, context_of, spoken
from daemon.extracting.mbox import message_in, stretches

MESSAGE_BYTES = 4 << 20  # read of one message: text comes before attachments
MOST_ANSWERED = 3
ANSWERS, LEFT_OUT = "answers", "left_out"  # keys in `about`
TOO_LARGE, DAMAGED, DELETED, FORWARDED = "too_large", "damaged", "deleted", "no_own_words"

_ID = re.compile(r"<([^<>\s]{1,500})>")
# Base64 beyond 1,000 lines holds no letter: what follows them is not parsed, which is most of mail.
_ATTACHMENT = re.compile(
    rb"(\n\r?\n(?:[A-Za-z0-9+/]{40,100}\r?\n){1000})(?:[A-Za-z0-9+/]{40,100}\r?\n)++"
)
_EARLIEST, _LATEST = 315_532_800.0, 4_102_444_800.0  # 1980 and 2100: other dates are mistakes
_EXPUNGED = 0x0008  # in X-Mozilla-Status
_UNWANTED_LABELS = {"spam", "trash", "draft", "drafts", "papierkorb", "entwürfe", "corbeille"}


def mbox(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    """What the user sent, of the messages in an mbox file."""
    left_out: Counter[str] = Counter()
    begin = file.tell()
    for stretch in stretches(file, start=begin, end=begin + facts.size):
        file.seek(stretch.start)
        data = message_in(_read(file, min(stretch.size, MESSAGE_BYTES)))
        yield from _sent(data, facts, left_out, cut=stretch.size > MESSAGE_BYTES)
    yield from _told(left_out)


def eml(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    """What the user sent, if the message in the file is his."""
    left_out: Counter[str] = Counter()
    data, cut = _one_message(file, facts)
    yield from _sent(data, facts, left_out, cut=cut)
    yield from _told(left_out)


def letters(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    """What others wrote, in one message or an mbox: each is named by its Message-ID's digest.

    Without the names of those whom a message's head names. One that gives nothing is left out.
    """
    me = Me(facts.me)
    begin = file.tell()
    is_one = file.read(5) != b"From "
    file.seek(begin)
    if is_one:
        yield from _written(_one_message(file, facts)[0], me)
        return
    for stretch in stretches(file, start=begin, end=begin + facts.size):
        file.seek(stretch.start)
        yield from _written(message_in(_read(file, min(stretch.size, MESSAGE_BYTES))), me)


def _written(data: bytes, me: Me) -> Iterator[Extracted]:
    try:
        message = _parsed(data)
        name = _ID.search(field_of(message, "Message-ID"))
        people = Pseudonyms(me)
        writer = people.meet(people_in(message, "From"))
        if name is None or writer is None or rule_against(message) == "calendar":
            return
        people.meet(people_in(message, "Reply-To", "To", "Cc"))
        text = without_closing(joined(blocks_of(text_of(message)), own=True))
        text = people.without_names(context_of(text))
    except Exception:
        return
    if text:
        digest = id_digest(name[1].encode("utf-8", "replace"))
        yield Extracted(path_suffix=f"{digest:016x}", text=text)


def _sent(data: bytes, facts: Facts, left_out: Counter[str], *, cut: bool) -> Iterator[Extracted]:
    """The document of a message, if it is the user's; one bad message costs one message."""
    try:
        found = _document(_parsed(data), Me(facts.me), cut=cut)
    except Exception:
        left_out[DAMAGED] += 1
        return
    if isinstance(found, str):
        left_out[found] += 1
    elif found is not None and len(found.text.encode("utf-8", "replace")) > facts.most_bytes:
        left_out[TOO_LARGE] += 1
    elif found is not None:
        yield found


def _document(message: Mail, me: Me, *, cut: bool) -> Extracted | str | None:
    """None: it is not the user's; a word: why it is left out."""
    if not any(me.is_me(address) for _, address in people_in(message, "From")):
        return None
    if _is_deleted(message):
        return DELETED
    if (rule := rule_against(message)) is not None:
        return rule
    blocks = blocks_of(text_of(message))
    own = joined(blocks, own=True)
    if not own:
        return TOO_LARGE if cut else FORWARDED
    answered = _answered(message)
    said = _said(blocks, message, me)
    text, turns = spoken(said)
    about = {"format": "mail"}
    if answered and not is_inline(blocks):
        about[ANSWERS] = " ".join(f"{digest:016x}" for digest in answered)
    return Extracted(
        path_suffix=_key(message, own),
        text=text,
        turns=turns,
        modified_at=_sent_at(message),
        about=about,
    )


def _said(blocks: list[Block], message: Mail, me: Me) -> list[Said]:
    """Who says what, in order: quotes answered one by one as they stand, else quote and answer."""
    people = Pseudonyms(me)
    others = people_in(message, "Reply-To", "To", "Cc")
    others = [one for one in others if not me.is_me(one[1])]
    quotes = [block for block in blocks if not block.own and not me.named_in(block.by)]
    speakers = {id(block): people.meet_line(block.by, others) for block in quotes}
    people.meet(others)
    if not is_inline(blocks):
        own = Said(own=True, speaker="me", text=joined(blocks, own=True))
        quotes = quotes[:1]
        blocks = []
    said = []
    for block in blocks or quotes:
        if block.own:
            said.append(Said(own=True, speaker="me", text=block.text))
        elif id(block) in speakers:
            text = people.without_names(context_of(block.text))
            said.append(Said(own=False, speaker=speakers[id(block)], text=text))
    return said if blocks else [*said, own]


# --------------------------------------------------------------------------- what headers say


def _parsed(data: bytes) -> Mail:
    return message_from_bytes(_ATTACHMENT.sub(rb"\1", data), policy=compat32)


def _key(message: Mail, own: str) -> str:
    """What tells this message from others, wherever it lies."""
    name = _ID.search(field_of(message, "Message-ID"))
    if name is not None:
        return sha256(b"id\0" + name[1].encode("utf-8", "replace")).hexdigest()[:24]
    words = f"{field_of(message, 'Date')}\0{own}"
    return sha256(b"words\0" + words.encode("utf-8", "replace")).hexdigest()[:24]


def _answered(message: Mail) -> list[int]:
    nearest = _ID.findall(field_of(message, "In-Reply-To"))
    nearest += reversed(_ID.findall(field_of(message, "References")))
    unique = dict.fromkeys(nearest[: 2 * MOST_ANSWERED])
    return [id_digest(name.encode("utf-8", "replace")) for name in unique][:MOST_ANSWERED]


def _sent_at(message: Mail) -> float | None:
    try:
        date = parsedate_to_datetime(field_of(message, "Date"))
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return seconds if _EARLIEST <= seconds <= _LATEST else None


def _is_deleted(message: Mail) -> bool:
    """Marked by its program as deleted, as a draft or as unwanted."""
    if {"D", "T"} & set(field_of(message, "X-Status")):
        return True
    try:
        if int(field_of(message, "X-Mozilla-Status").strip() or "0", 16) & _EXPUNGED:
            return True
    except ValueError:
        pass
    labels = field_of(message, "X-Gmail-Labels").lower().split(",")
    return any(label.strip() in _UNWANTED_LABELS for label in labels)


# --------------------------------------------------------------------------- bytes


def _one_message(file: BinaryIO, facts: Facts) -> tuple[bytes, bool]:
    """Its bytes, and whether they are not all; an `.emlx` says first how long it is."""
    data = _read(file, min(facts.size, MESSAGE_BYTES))
    cut = facts.size > MESSAGE_BYTES
    if facts.name.lower().endswith(".emlx"):
        length, _, rest = data.partition(b"\n")
        if length.strip().isdigit() and len(length) < 20:
            return rest[: int(length)], int(length) > len(rest)
    return (message_in(data) if data.startswith(b"From ") else data), cut


def _read(file: BinaryIO, size: int) -> bytes:
    pieces = []
    while size > 0 and (piece := file.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _told(left_out: Counter[str]) -> Iterator[Extracted]:
    if left_out:
        counts = {name: str(count) for name, count in sorted(left_out.items())}
        yield Extracted(text="", about={LEFT_OUT: "yes", **counts})
