"""One file through a real child: what comes out, and what a bad file costs."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import ExtractionFailed
from daemon.extracting.extractor import Extractor
from daemon.extracting.limits import MIB
from tests.daemon.extracting.hostile import SECRET
from tests.daemon.extracting.parts import read, reading, small, until

MakeExtractor = Callable[..., Extractor]


def test_the_text_of_a_file_comes_out(extractor: Extractor, file: Path) -> None:
    (document,), reason = read(extractor, file)

    assert reason is None
    assert document.text == "The damsons flowered early.\n"
    assert (document.path_suffix, document.turns, document.modified_at) == ("", (), None)
    assert "damsons" not in repr(document)


def test_the_extractor_knows_the_name_and_the_user_and_shows_neither(
    extractor: Extractor, file: Path
) -> None:
    (document,), _ = read(extractor, file, "tells")

    assert "letter.txt ('ada@example.org',) The damsons" in document.text
    assert "folder" not in document.text
    assert document.text.startswith("Facts(size=28, own=True, most_bytes=")


def test_one_child_reads_many_files(extractor: Extractor, file: Path) -> None:
    before = extractor.process_id
    read(extractor, file)
    child = extractor.process_id
    for _ in range(3):
        read(extractor, file)

    assert before is None
    assert child is not None
    assert extractor.process_id == child


@pytest.mark.parametrize(
    ("format", "reason", "documents"),
    [
        ("refuses", SkipReason.ENCRYPTED, 1),
        ("breaks", SkipReason.DAMAGED, 0),
        ("eats", SkipReason.TOO_HUNGRY, 0),
        ("eats_in_a_library", SkipReason.TOO_HUNGRY, 0),
        ("swells", SkipReason.TOO_LARGE, 0),
        ("dies", SkipReason.DAMAGED, 1),
        ("crashes", SkipReason.DAMAGED, 1),
        ("babbles", SkipReason.DAMAGED, 0),
        ("brags", SkipReason.DAMAGED, 0),
        ("missing", SkipReason.UNKNOWN_FORMAT, 0),
        ("never heard of", SkipReason.UNKNOWN_FORMAT, 0),
    ],
)
def test_a_bad_file_costs_one_file(
    extractor: Extractor, file: Path, format: str, reason: SkipReason, documents: int
) -> None:
    found, why = read(extractor, file, format)

    assert (why, len(found)) == (reason, documents)
    assert read(extractor, file)[1] is None


@pytest.mark.parametrize(("format", "documents"), [("loops", 0), ("waits", 1), ("crumbles", 0)])
def test_a_file_that_takes_too_long_is_given_up(
    extractor_with: MakeExtractor, file: Path, format: str, documents: int
) -> None:
    extractor = extractor_with(limits=small(seconds=0.3))
    found, why = read(extractor, file, format)

    assert (why, len(found)) == (SkipReason.TOO_SLOW, documents)


@pytest.mark.skipif("sys.platform != 'linux'")
def test_computing_is_counted_where_nobody_waits_for_it(
    extractor_with: MakeExtractor, file: Path
) -> None:
    extractor = extractor_with(limits=small(seconds=0.3))  # the kernel counts whole seconds
    documents = reading(extractor, file, "thinks")
    next(documents)
    child = extractor.process_id
    assert child is not None
    until(lambda: _workers(child) == [])

    with pytest.raises(ExtractionFailed) as failed:
        next(documents)
    assert failed.value.reason is SkipReason.TOO_SLOW


def test_output_without_end_is_a_bomb(extractor_with: MakeExtractor, file: Path) -> None:
    extractor = extractor_with(limits=small(file_bytes=MIB))
    found, why = read(extractor, file, "floods")

    assert why is SkipReason.BOMB
    assert 100 < len(found) < 180


def test_many_documents_pass_through_little_memory(extractor: Extractor, file: Path) -> None:
    """150 MB in all, out of a worker that may have far less."""
    numbers = [
        (document.path_suffix, len(document.text))
        for document in reading(extractor, file, "streams")
    ]

    assert [suffix for suffix, _ in numbers] == [str(number) for number in range(100)]
    assert all(size > 1_500_000 for _, size in numbers)


def test_hanging_up_ends_the_worker_and_not_the_child(extractor: Extractor, file: Path) -> None:
    documents = reading(extractor, file, "floods")
    next(documents)
    documents.close()  # type: ignore[attr-defined]

    child = extractor.process_id
    assert child is not None
    assert read(extractor, file)[1] is None
    assert extractor.process_id == child
    until(lambda: _workers(child) == [])


def test_two_files_may_be_read_at_once(extractor: Extractor, file: Path) -> None:
    one, other = (reading(extractor, file, "streams") for _ in range(2))

    assert [next(one).path_suffix, next(other).path_suffix, next(one).path_suffix] == [
        "0",
        "0",
        "1",
    ]


def test_a_child_that_is_gone_costs_no_file(extractor: Extractor, file: Path) -> None:
    read(extractor, file)
    before = extractor.process_id
    assert before is not None
    os.kill(before, 9)

    assert read(extractor, file)[1] is None
    assert extractor.process_id != before


def test_closing_ends_what_is_under_way_and_blames_no_file(
    extractor: Extractor, file: Path
) -> None:
    documents = reading(extractor, file, "floods")
    next(documents)
    extractor.close()

    with pytest.raises(ExtractionFailed) as failed:
        list(documents)
    assert failed.value.reason is SkipReason.UNREADABLE
    assert extractor.process_id is None
    assert read(extractor, file)[1] is None  # another child


def test_a_child_that_nobody_needs_ends(extractor_with: MakeExtractor, file: Path) -> None:
    extractor = extractor_with(idle_seconds=0.01)
    read(extractor, file)

    until(lambda: extractor.process_id is None)
    assert read(extractor, file)[1] is None


def test_what_a_library_says_of_a_file_reaches_nobody(
    extractor: Extractor,
    file: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(ExtractionFailed) as failed:
        list(reading(extractor, file, "breaks"))

    assert SECRET not in f"{failed.value!r} {failed.value} {failed.value.__context__!r}"
    assert capfd.readouterr() == ("", "")
    assert caplog.text == ""


def _workers(child: int) -> list[str]:
    return Path(f"/proc/{child}/task/{child}/children").read_text().split()
