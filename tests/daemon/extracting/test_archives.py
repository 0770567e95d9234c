"""ZIP-based files and XML that would swell, and what is left of them."""

import io
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from daemon.collecting.skipping import SkipReason
from daemon.extracting import archives
from daemon.extracting.archives import check_archive, open_archive, xml_tree
from daemon.extracting.errors import Unreadable

LETTER = "<letter xmlns='urn:post'><to kind='aunt'>Zo\u00eb</to></letter>"


def packed(**entries: bytes) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name.replace("__", "."), data)
    file.seek(0)
    return file


def refusal(attempt: Callable[[], Any]) -> SkipReason:
    with pytest.raises(Unreadable) as why:
        attempt()
    return why.value.reason


def test_an_entry_is_read() -> None:
    archive = open_archive(packed(letter__xml=LETTER.encode(), picture=b"..."))

    assert archive.names == ("letter.xml", "picture")
    assert "picture" in archive
    assert archive.read("picture") == b"..."
    assert archive.tree("letter.xml")[0].text == "Zo\u00eb"
    assert refusal(lambda: archive.read("nothing")) is SkipReason.DAMAGED


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"honey" * 100, bytes(10_000)])
def test_what_is_no_archive_is_damaged(data: bytes) -> None:
    assert refusal(lambda: open_archive(io.BytesIO(data))) is SkipReason.DAMAGED


def test_a_cut_archive_and_a_changed_byte_are_damage() -> None:
    whole = packed(letter=b"honey and damsons " * 100).getvalue()
    assert refusal(lambda: open_archive(io.BytesIO(whole[:-10]))) is SkipReason.DAMAGED
    changed = bytearray(whole)
    changed[60] ^= 0xFF
    archive = open_archive(io.BytesIO(changed))
    assert refusal(lambda: archive.read("letter")) is SkipReason.DAMAGED


def test_more_entries_than_any_document_has_are_refused() -> None:
    many = {f"n{number}": b"" for number in range(archives.MOST_ENTRIES + 1)}
    assert refusal(lambda: open_archive(packed(**many))) is SkipReason.BOMB


def test_an_entry_that_is_packed_too_tight_is_refused() -> None:
    bomb = packed(zeros=bytes(4 << 20))
    assert refusal(lambda: open_archive(bomb).read("zeros")) is SkipReason.BOMB
    assert refusal(lambda: check_archive(bomb)) is SkipReason.BOMB


def test_a_small_entry_may_be_packed_tight() -> None:
    assert len(open_archive(packed(blank=b" " * 500_000)).read("blank")) == 500_000


def test_all_that_is_read_counts_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_BYTES", 1000)
    archive = open_archive(packed(one=b"1" * 600, other=b"2" * 600))

    assert len(archive.read("one")) == 600
    assert refusal(lambda: archive.read("other")) is SkipReason.BOMB


def test_what_an_archive_says_of_its_sizes_does_not_count() -> None:
    """The directory claims that four million zeros are ten bytes."""
    data = bytearray(packed(zeros=bytes(4 << 20)).getvalue())
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = struct.pack("<I", 10)

    assert refusal(lambda: open_archive(io.BytesIO(data)).read("zeros")) in (
        SkipReason.DAMAGED,
        SkipReason.BOMB,
    )


def test_an_archive_in_an_archive_is_not_opened() -> None:
    outer = packed(inner__zip=packed(letter=b"honey").getvalue())

    assert refusal(lambda: open_archive(outer).read("inner.zip")) is SkipReason.BOMB
    check_archive(outer)  # a table in a letter is no bomb: nobody opens it
    assert outer.tell() == 0


def test_encrypted_entries_and_encrypted_office_files_are_named() -> None:
    data = bytearray(packed(letter=b"honey").getvalue())
    for start in (data.index(b"PK\x03\x04") + 6, data.index(b"PK\x01\x02") + 8):
        data[start] |= 1
    archive = open_archive(io.BytesIO(data))
    assert refusal(lambda: archive.read("letter")) is SkipReason.ENCRYPTED

    office = archives._OLD_CONTAINER + bytes(600) + "EncryptedPackage".encode("utf-16-le")
    assert refusal(lambda: open_archive(io.BytesIO(office))) is SkipReason.ENCRYPTED
    old = archives._OLD_CONTAINER + bytes(600) + "WordDocument".encode("utf-16-le")
    assert refusal(lambda: open_archive(io.BytesIO(old))) is SkipReason.UNKNOWN_FORMAT


# --------------------------------------------------------------------------- XML


def test_xml_is_read_with_its_namespaces() -> None:
    root = xml_tree(LETTER.encode())

    assert root.tag == "{urn:post}letter"
    assert [(one.tag, one.get("kind"), one.text) for one in root] == [
        ("{urn:post}to", "aunt", "Zo\u00eb")
    ]


HOSTILE_XML = (
    "<!DOCTYPE a [<!ENTITY b 'honey'>]><a>&b;</a>",
    "<!DOCTYPE a [<!ENTITY b 'honey'><!ENTITY c '&b;&b;&b;'>]><a>&c;</a>",
    "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
    "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
    "<!DOCTYPE a [<!ENTITY % b SYSTEM 'http://127.0.0.1/'> %b;]><a/>",
    "<!DOCTYPE a><a/>",
)


@pytest.mark.parametrize("text", HOSTILE_XML)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
def test_a_document_type_is_refused_in_any_encoding(text: str, encoding: str) -> None:
    head = f"<?xml version='1.0' encoding='{encoding.removesuffix('-sig').removesuffix('-le')}'?>"
    data = (head + text).encode(encoding)

    assert refusal(lambda: xml_tree(data)) is SkipReason.DAMAGED
    assert refusal(lambda: check_archive(packed(part__xml=data))) is SkipReason.DAMAGED


@pytest.mark.parametrize(
    "text", ["", "<a>", "<a></b>", "<a>&b;</a>", "honey", "<a>\0</a>", "<?xml encoding='x'?><a/>"]
)
def test_broken_xml_is_damage(text: str) -> None:
    assert refusal(lambda: xml_tree(text.encode())) is SkipReason.DAMAGED


def test_elements_without_end_in_each_other_are_refused() -> None:
    depth = archives.MOST_DEPTH + 1
    data = b"<a>" * depth + b"</a>" * depth
    assert refusal(lambda: xml_tree(data)) is SkipReason.BOMB
    assert xml_tree(data[3:-4]).tag == "a"
