"""Whose export a file is, the archives they come in, and whatever else comes."""

import contextlib
import io
import json
import zipfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.collecting.skipping import SkipReason
from daemon.extracting import chat_speakers
from daemon.extracting.chats import extract, format_of
from daemon.extracting.errors import Unreadable
from tests.daemon.extracting.chat_reading import ME, documents, facts, own_words

WHATSAPP = f"31.12.23, 22:05 - Ada: still up?\n31.12.23, 22:06 - {ME}: reading\n"
TELEGRAM = {
    "name": "Ada",
    "type": "personal_chat",
    "id": 7,
    "messages": [
        {"type": "message", "from": "Ada", "from_id": "user2", "text": "hi", "date": "2024-01-01"},
        {"type": "message", "from": ME, "from_id": "user1", "text": "ho", "date": "2024-01-01"},
    ],
}
CHATGPT = [
    {
        "title": "Knots",
        "id": "c",
        "current_node": "1",
        "mapping": {
            "1": {
                "parent": None,
                "children": [],
                "message": {
                    "author": {"role": "user"},
                    "content": {"content_type": "text", "parts": ["How?"]},
                },
            }
        },
    }
]
OASST = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}


def archive(**members: Any) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            data = content if isinstance(content, str | bytes) else json.dumps(content)
            file.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return packed.getvalue()


def reason(data: bytes) -> SkipReason:
    with pytest.raises(Unreadable) as error:
        documents(data)
    return error.value.reason


@pytest.mark.parametrize(
    ("export", "name"),
    [
        (WHATSAPP, "whatsapp"),
        (TELEGRAM, "telegram"),
        ({"about": "x", "contacts": {"list": [1]}, "chats": {"list": [TELEGRAM]}}, "telegram"),
        (CHATGPT, "chatgpt"),
        (CHATGPT[0], "chatgpt"),
        (OASST, "oasst"),
        ([OASST], "oasst"),
        ({"message_tree_id": "t", "prompt": {}}, "oasst"),
        ({"parent_id": None}, "oasst"),
        ({"a": {"messages": []}, "b": [1, {"mapping": 2}]}, None),
        ("# Notes\n\nOn [12.12.23] we met.\n", None),
        ([], None),
        ("", None),
    ],
)
def test_whose_export_it_is(export: Any, name: str | None) -> None:
    text = export if isinstance(export, str) else json.dumps(export)
    assert format_of(io.BytesIO(text.encode())) == name
    assert format_of(io.BytesIO(b"\xef\xbb\xbf" + text.encode())) == name
    assert format_of(io.BytesIO(text.encode("utf-16"))) == name


def test_the_archives_that_exports_come_in() -> None:
    picture = bytes(range(256)) * 100
    for members, words in (
        ({"_chat_dot_txt": WHATSAPP, "00000001-PHOTO_dot_jpg": picture}, ["reading"]),
        ({"WhatsApp Chat with Ada_dot_txt": WHATSAPP, "letter_dot_txt": "Dear"}, ["reading"]),
        ({"conversations_dot_json": CHATGPT, "user_dot_json": {}, "chat_dot_html": "x"}, ["How?"]),
        ({"DataExport__result_dot_json": TELEGRAM, "DataExport__photos__a_dot_jpg": b"x"}, ["ho"]),
    ):
        assert own_words(documents(archive(**members))) == words


def test_an_archive_with_thousands_of_pictures_is_read() -> None:
    pictures = {f"{number}_dot_jpg": b"x" for number in range(1500)}
    assert own_words(documents(archive(_chat_dot_txt=WHATSAPP, **pictures))) == ["reading"]


def test_a_conversation_in_many_files_has_one_path_each() -> None:
    second = [{**CHATGPT[0], "id": "d"}]
    packed = archive(
        **{"conversations-000_dot_json": CHATGPT, "conversations-001_dot_json": second}
    )
    assert [one.path_suffix for one in documents(packed)] == ["c", "d"]
    twice = archive(**{"a__result_dot_json": TELEGRAM, "b__result_dot_json": TELEGRAM})
    paths = [one.path_suffix for one in documents(twice)]
    assert len(set(paths)) == len(paths) == 2


def test_hostile_archives_are_named() -> None:
    assert reason(archive(_chat_dot_txt=WHATSAPP + " " * 30_000_000)) is SkipReason.BOMB
    assert reason(archive(photo_dot_jpg=b"x")) is SkipReason.UNKNOWN_FORMAT
    assert reason(archive(_chat_dot_txt="no chat")) is SkipReason.UNKNOWN_FORMAT
    whole = archive(_chat_dot_txt=WHATSAPP)
    assert reason(whole[: len(whole) // 2]) is SkipReason.DAMAGED
    for at in (60, whole.index(b"PK\x01\x02") + 42):  # packed bytes, and where they begin
        broken = bytearray(whole)
        broken[at] ^= 0x81
        assert reason(bytes(broken)) is SkipReason.DAMAGED
    encrypted = bytearray(whole)
    at = encrypted.index(b"PK\x01\x02")
    encrypted[at + 8] |= 1
    assert reason(bytes(encrypted)) is SkipReason.ENCRYPTED


def test_pictures_and_pipes_of_zeros_are_no_chats() -> None:
    for data in (bytes(200_000), bytes(range(256)) * 400, b"\x89PNG\r\n\x1a\n" + bytes(5000)):
        assert reason(data) in (SkipReason.BINARY, SkipReason.UNKNOWN_FORMAT)


def test_speakers_are_counted_where_a_name_is_needed() -> None:
    def counted(export: Any, *, me: str) -> list[dict[str, str]]:
        data = (export if isinstance(export, str) else json.dumps(export)).encode()
        found = chat_speakers.extract(io.BytesIO(data), facts(len(data), me=(me,)))
        return [{**one.about, "names": one.text} for one in found]

    assert counted(WHATSAPP, me=ME) == [{"speakers": "2", "named": "1", "names": f"Ada\n{ME}"}]
    assert counted(TELEGRAM, me="Tim") == [{"speakers": "2", "named": "0", "names": f"Ada\n{ME}"}]
    assert counted(CHATGPT, me="Tim") == []


NAMES = (
    "mapping chats list messages id type text from from_id date date_unixtime current_node parent "
    "children message author role content parts content_type prompt replies message_id parent_id "
    "rank lang create_time title forwarded_from 1 2"
)
KEYS = st.sampled_from(NAMES.split())
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | KEYS
    | st.sampled_from(["message", "user", "assistant", "prompter", "text", "1", "2", ME, "user1"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=8),
    max_leaves=40,
)  # fmt: skip


@settings(max_examples=50)
@given(value=ANYTHING, first=KEYS, listed=st.booleans())
def test_any_json_is_read_or_named(value: Any, first: str, listed: bool) -> None:
    export = {first: value, **(value if isinstance(value, dict) else {})}
    data = json.dumps([export] if listed else export).encode()
    with contextlib.suppress(Unreadable):
        for document in extract(io.BytesIO(data), facts(len(data))):
            assert all(document.text[turn.start : turn.end].strip() for turn in document.turns)


@settings(max_examples=50)
@given(
    lines=st.lists(
        st.text(max_size=30)
        | st.from_regex(r"\[?[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{1,4},? [0-9]{1,2}:[0-9]{2}(:00)? "
                        r"?([AP]M)?(\]| -) (Max Ohm|Ada|.{0,9}): ?.{0,20}", fullmatch=True),
        max_size=20,
    )
)  # fmt: skip
def test_any_lines_are_read_or_named(lines: list[str]) -> None:
    data = "\n".join(lines).encode("utf-8", "replace")
    with contextlib.suppress(Unreadable):
        for document in extract(io.BytesIO(data), facts(len(data))):
            assert all(document.text[turn.start : turn.end].strip() for turn in document.turns)


LONG = 100_000


@pytest.mark.parametrize(
    "line",
    [
        "\u200e" * LONG,
        "[" + "1" * LONG,
        "1.1.11" + " " * LONG,
        f"31.12.23, 22:05 - {ME}: " + " \u200e" * LONG + "x",
        f"31.12.23, 22:05 - {ME}: \u200e" + "<" * LONG + " " * LONG + "x",
        f"31.12.23, 22:05 - {ME}: <a" + " a" * LONG,
        f"31.12.23, 22:05 - {ME}: " + "@⁨ " * LONG + " " * LONG,
        f"31.12.23, 22:05 - {ME}: " + "Ada\n" * LONG + " " * LONG,
        f"31.12.23, 22:05 - {ME}: " + "a.b " * LONG + "(",
        "31.12.23, 22:05 - " + "a" * LONG + ": x",
        "31.12.23, 22:05 -" * LONG,
        f"31.12.23, 22:05 - {ME}: x\n" + "\n" * LONG,
    ],
)
def test_no_line_takes_for_ever(line: str) -> None:
    found = documents(f"{line}\n31.12.23, 22:06 - Ada: hi\n31.12.23, 22:06 - {ME}: end\n")
    assert own_words(found)[-1] == "end"
