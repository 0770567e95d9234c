"""What is collected from real mbox files, Maildirs and single letters, through the real child."""

import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.collecting.kinds import make_source
from daemon.collecting.mail_source import MailSource
from daemon.collecting.skipping import Skipped, SkipReason
from daemon.collecting.source import FoundFile, ReadFile
from daemon.errors import MailWithoutAddress
from daemon.extracting.errors import ExtractionFailed
from daemon.extracting.extractor import Extractor
from storage.records import CollectedDocument, SourceSettings
from tests.daemon.collecting.parts import LIMIT
from tests.daemon.letters import (
    ANSWER,
    ME,
    answer,
    letter,
    question,
    write_maildir,
    write_mbox,
)

OTHERS = ("Berta", "Quill", "berta.quill", "mill.example", "Mill Lane", "960123")


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    made = Extractor()
    yield made
    made.close()


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    (tmp_path / "mail").mkdir()
    return tmp_path / "mail"


def source_at(place: Path, extractor: Extractor, **more: Any) -> MailSource:
    settings = SourceSettings(
        **{"name": "mail", "kind": "mail", "path": str(place), "me": (ME,), **more}
    )
    made = make_source(settings, most_bytes=LIMIT, extractor=extractor)
    assert isinstance(made, MailSource)
    return made


def collect(source: MailSource, *, left_out: dict[str, int] | None = None) -> list[Any]:
    """All documents, as a gatherer takes them; `left_out` is filled with what was counted."""
    documents: list[CollectedDocument] = []
    counts = {} if left_out is None else left_out
    for file in [one for one in source.scan() if isinstance(one, FoundFile)]:
        content = source.read(file)
        if isinstance(content, SkipReason):
            counts[f"file:{content}"] = counts.get(f"file:{content}", 0) + 1
            continue
        documents += content.documents
        for reason, count in content.left_out.items():
            counts[reason] = counts.get(reason, 0) + count
        if content.when_kept is not None:
            content.when_kept()
    return documents


def texts(source: MailSource) -> list[str]:
    return sorted(document.text for document in collect(source))


def turns(document: CollectedDocument) -> list[tuple[str, str]]:
    return [(turn.speaker, document.text[turn.start : turn.end]) for turn in document.turns]


def test_mail_without_an_address_of_the_user_is_refused(mail: Path, extractor: Extractor) -> None:
    for me in ((), ("Ada",)):
        with pytest.raises(MailWithoutAddress, match="--me"):
            source_at(mail, extractor, me=me)


def test_an_answer_is_paired_with_the_letter_that_it_answers(
    mail: Path, extractor: Extractor
) -> None:
    write_mbox(mail / "Sent.mbox", answer())
    write_mbox(mail / "Zettel", question())  # read after the one that answers it
    (document,) = collect(source_at(mail, extractor))
    assert turns(document) == [
        ("A", "Shall we prune the damsons in March?"),
        ("me", ANSWER),
    ]
    assert [turn.own for turn in document.turns] == [False, True]
    assert document.own


def test_no_name_or_address_of_others_is_in_a_document(mail: Path, extractor: Extractor) -> None:
    quoting = ANSWER + (
        "\n\nOn Mon, 3 Mar 2025 at 09:00, Berta Quill <berta.quill@mill.example> wrote:\n"
        "> Shall we prune them, asks your Berta?\n> -- \n> Berta Quill, Mill Lane 4\n"
    )
    write_mbox(mail / "a", question(), answer())
    write_mbox(mail / "b", answer(name="quoting", answers="lost", text=quoting))
    write_mbox(mail / "c", answer(name="bare", answers="lost", text=ANSWER))
    documents = collect(source_at(mail, extractor))
    assert len(documents) == 3
    for document in documents:
        written = f"{document.text} {document.path} {dict(document.about)} {document.turns}"
        assert not [name for name in OTHERS if name.lower() in written.lower()]


def test_what_others_wrote_is_no_document(mail: Path, extractor: Extractor) -> None:
    write_mbox(mail / "Inbox", question(), question("second", "And the pears?"))
    write_maildir(mail / "dir", question("third"))
    assert collect(source_at(mail, extractor)) == []


def test_a_maildir_is_read_with_its_folders_and_without_what_is_not_whole(
    mail: Path, extractor: Extractor
) -> None:
    box = write_maildir(mail / "dir", letter("One.", name="1"))
    write_maildir(mail / "dir/.Sent.2025", letter("Two.", name="2"))
    write_maildir(mail / "dir/.Trash", letter("Never.", name="3"))
    write_maildir(mail / "dir/.Entw&APw-rfe", letter("Never.", name="4"))
    (mail / "dir/tmp/half").write_bytes(bytes(letter("Never.", name="5")))
    write_maildir(mail / "dir", letter("Never.", name="6"), flags="DS")
    assert texts(source_at(mail, extractor)) == ["One.", "Two."]
    box.close()


def test_a_flag_or_a_look_at_it_does_not_make_a_message_another_one(
    mail: Path, extractor: Extractor
) -> None:
    write_maildir(mail / "dir", answer(), flags="")
    write_maildir(mail / "dir", question(), flags="")
    source = source_at(mail, extractor)
    (before,) = collect(source)
    for file in sorted((mail / "dir/cur").iterdir()):
        file.rename(f"{file.parent}/{file.name.partition(':')[0]}:2,RS")
    (after,) = collect(source)
    assert (before.path, before.text) == (after.path, after.text)
    assert len(before.turns) == 2


def test_a_folder_may_hold_all_kinds(mail: Path, extractor: Extractor) -> None:
    (mail / "saved").mkdir()
    message = bytes(letter("In a file.", name="1"))
    (mail / "saved/a.eml").write_bytes(message)
    (mail / "saved/b.emlx").write_bytes(b"%d\n" % len(message) + message + b"<plist/>\n")
    (mail / "saved/Inbox.msf").write_text("// <!-- <mdb:mork:z> -->")
    (mail / "saved/notes").write_text("From here to there\n\nit is far.")
    write_mbox(mail / "Sent.sbd/2024", letter("In a box.", name="2"))
    write_maildir(mail / "dir", letter("In a Maildir.", name="3"))
    left_out: dict[str, int] = {}
    found = collect(source_at(mail, extractor), left_out=left_out)
    assert sorted(one.text for one in found) == [
        "In a Maildir.",
        "In a box.",
        "In a file.",
        "In a file.",
    ]
    assert len({one.path for one in found}) == 4
    assert left_out == {"file:unknown_format": 1}


@pytest.mark.parametrize(
    "name", ["Drafts", "Papierkorb.mbox", "Junk E-Mail", "[Gmail].sbd/Spam", "Trash.sbd/2024"]
)
def test_drafts_trash_and_spam_are_left_out(mail: Path, extractor: Extractor, name: str) -> None:
    write_mbox(mail / name, letter("Never.", name="1"))
    assert collect(source_at(mail, extractor)) == []


def test_one_file_is_a_source_whatever_it_is_called(mail: Path, extractor: Extractor) -> None:
    place = write_mbox(mail / "my.letters.2025", letter("Mine.", name="1"))
    write_mbox(mail / "Other.mbox", letter("Not named.", name="2"))
    source = source_at(place, extractor)
    assert (source.folder, source.only) == (mail, "my.letters.2025")
    source.check()
    (document,) = collect(source)
    assert document.text == "Mine."
    assert document.path.startswith("my.letters.2025#")
    assert source.concerns("my.letters.2025", is_folder=False)
    assert not source.concerns("Other.mbox", is_folder=False)


def test_only_what_was_added_to_an_mbox_is_read_again(mail: Path, extractor: Extractor) -> None:
    place = write_mbox(mail / "Sent.mbox", letter("First.", name="1"))
    source = source_at(mail, extractor)
    assert texts(source) == ["First."]
    write_mbox(place, letter("Second.", name="2"))
    assert texts(source) == ["Second."]
    assert texts(source_at(mail, extractor)) == ["First.", "Second."]


def test_flags_that_change_in_place_do_not_make_a_file_a_new_one(
    mail: Path, extractor: Extractor
) -> None:
    place = write_mbox(mail / "Sent", letter("First.", name="1", X_Mozilla_Status="0001"))
    source = source_at(mail, extractor)
    assert texts(source) == ["First."]
    place.write_bytes(place.read_bytes().replace(b"0001", b"0003"))
    assert texts(source) == []
    write_mbox(place, letter("Second.", name="2"))
    assert texts(source) == ["Second."]
    assert texts(source) == ["First.", "Second."]  # asked for again, and nothing changed


def test_an_edit_before_the_end_is_read_again(mail: Path, extractor: Extractor) -> None:
    place = write_mbox(mail / "Sent", letter("First.", name="1"))
    source = source_at(mail, extractor)
    assert texts(source) == ["First."]
    place.write_bytes(place.read_bytes().replace(b"First.", b"Worst."))
    write_mbox(place, letter("Second.", name="2"))
    assert texts(source) == ["Second.", "Worst."]


def test_what_was_read_and_not_kept_is_read_again(mail: Path, extractor: Extractor) -> None:
    place = write_mbox(mail / "Sent.mbox", letter("First.", name="1"))
    source = source_at(mail, extractor)
    (file,) = (one for one in source.scan() if isinstance(one, FoundFile))
    content = source.read(file)
    assert isinstance(content, ReadFile)
    assert [one.text for one in content.documents] == ["First."]  # and the vault refused it
    write_mbox(place, letter("Second.", name="2"))
    assert texts(source) == ["First.", "Second."]


def test_a_compacted_mbox_has_the_same_messages(mail: Path, extractor: Extractor) -> None:
    place = write_mbox(mail / "Sent", *(letter(f"Letter {n}.", name=f"{n}") for n in range(3)))
    source = source_at(mail, extractor)
    before = {one.text: one.path for one in collect(source)}
    data = place.read_bytes()
    second = data.index(b"From ", 10)
    place.write_bytes(data[second:])
    after = {one.text: one.path for one in collect(source)}
    assert after == {text: path for text, path in before.items() if text != "Letter 0."}


def test_a_message_without_a_name_is_known_by_date_and_text(
    mail: Path, extractor: Extractor
) -> None:
    write_mbox(mail / "Sent", letter("No name."), letter("No name either.", date=None))
    first = {one.path for one in collect(source_at(mail, extractor))}
    assert len(first) == 2
    assert {one.path for one in collect(source_at(mail, extractor))} == first


def test_a_message_of_the_user_that_answers_himself_has_no_other_turn(
    mail: Path, extractor: Extractor
) -> None:
    write_mbox(mail / "Sent", letter("One thing.", name="1"), answer("2", answers="1", text="Two."))
    found = collect(source_at(mail, extractor))
    assert [(one.text, one.turns) for one in found] == [("One thing.", ()), ("Two.", ())]


def test_messages_too_old_for_the_source_are_left_out_one_by_one(
    mail: Path, extractor: Extractor
) -> None:
    old = letter("Old.", name="1", date="Mon, 03 Mar 2014 10:00:00 +0100")
    write_mbox(mail / "Sent", old, letter("Newer.", name="2", date=None))
    assert texts(source_at(mail, extractor, retention_days=30)) == ["Newer."]


def test_what_is_left_out_is_counted(mail: Path, extractor: Extractor) -> None:
    write_mbox(
        mail / "Sent",
        letter("Away until Monday.", name="1", subject="Automatic reply: The orchard"),
        letter("I am away.", name="2", Auto_Submitted="auto-replied"),
        letter("> only\n> quoted\n", name="3"),
        letter("Kept.", name="4"),
        letter("Not any more.", name="5", X_Mozilla_Status="0009"),
    )
    left_out: dict[str, int] = {}
    (document,) = collect(source_at(mail, extractor), left_out=left_out)
    assert document.text == "Kept."
    assert left_out == {"automatic": 2, "no_text": 1, "deleted": 1}


@pytest.mark.parametrize("steps", range(6))
def test_reading_can_be_stopped_anywhere_and_taken_up_again(
    mail: Path, extractor: Extractor, steps: int
) -> None:
    write_mbox(mail / "Inbox", question(), letter("Else.", sender="eve@pear.example"))
    write_mbox(mail / "Sent", answer())
    source = source_at(mail, extractor)
    left = iter([False] * steps)
    source.stopped = lambda: next(left, True)
    with pytest.raises(ExtractionFailed, match="vanished"):
        collect(source)
    source.stopped = lambda: False
    (document,) = collect(source)
    assert turns(document)[1] == ("me", ANSWER)


def test_a_huge_letter_costs_no_memory_and_not_the_one_after_it(
    mail: Path, extractor: Extractor
) -> None:
    place = write_mbox(mail / "Sent", letter("First.", name="1"), letter("Huge.", name="2"))
    with place.open("r+b") as file:
        file.truncate(200 << 20)
        file.seek(0, os.SEEK_END)
        file.write(b"\n\nFrom - Mon Mar  3 10:00:00 2025\n" + bytes(letter("Last.", name="3")))
    left_out: dict[str, int] = {}
    source = source_at(mail, extractor)
    tracemalloc.start()
    try:
        found = collect(source, left_out=left_out)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [one.text for one in found] == ["First.", "Last."]
    assert left_out == {"too_large": 1}
    assert peak < 16 << 20


def test_a_letter_that_breaks_the_child_costs_itself(
    mail: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    words = ("One.", "Two, deadly.", "Three.", "Four, deadly.", "Five.")
    write_mbox(mail / "Sent", *(letter(text, name=text[:3]) for text in words))
    left_out: dict[str, int] = {}
    fragile = Extractor(formats={"mbox": "tests.daemon.extracting.hostile_mail:mbox"})
    try:
        found = collect(source_at(mail, fragile), left_out=left_out)
    finally:
        fragile.close()
    assert [one.text for one in found] == ["One.", "Three.", "Five."]
    assert left_out == {"damaged": 2}


def test_an_mbox_that_is_written_to_meanwhile_waits(mail: Path, extractor: Extractor) -> None:
    place = write_mbox(mail / "Sent", letter("First.", name="1"))
    source = source_at(mail, extractor)
    (file,) = (one for one in source.scan() if isinstance(one, FoundFile))
    content = source.read(file)
    assert isinstance(content, ReadFile)
    os.utime(place, (1, 1))
    with pytest.raises(Exception, match="changing"):
        list(content.documents)


def test_links_and_pipes_among_mail_are_not_opened(mail: Path, extractor: Extractor) -> None:
    outside = write_mbox(mail.parent / "outside.mbox", letter("Not allowed.", name="1"))
    (mail / "link.mbox").symlink_to(outside)
    os.mkfifo(mail / "pipe.mbox")
    finds = list(source_at(mail, extractor).scan())
    assert {find.reason for find in finds if isinstance(find, Skipped)} == {
        SkipReason.SYMLINK,
        SkipReason.NOT_REGULAR,
    }
    assert not [find for find in finds if isinstance(find, FoundFile)]
