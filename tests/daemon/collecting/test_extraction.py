"""A file of a source through a real child: opened safely, its documents named, failures told."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.collecting.batching import read_batches
from daemon.collecting.collector import Collector
from daemon.collecting.extraction import extract_file
from daemon.collecting.skipping import SkipReason
from daemon.collecting.source import FoundFile, ReadFile
from daemon.config import CollectSettings
from daemon.extracting.errors import ExtractionFailed
from daemon.extracting.extractor import Extractor
from storage.records import SourceSettings
from tests.daemon.collecting.parts import MemoryStore, NoWatcher
from tests.daemon.extracting.parts import FOR_TESTS, small

ROOT = Path(__file__).parents[3]


@pytest.fixture
def extractor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Extractor]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    one = Extractor(formats=FOR_TESTS, limits=small())
    yield one
    one.close()


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    (folder / "letters").mkdir(parents=True)
    (folder / "letters" / "may.txt").write_text("The damsons flowered early.\n")
    return folder


def settings(folder: Path) -> SourceSettings:
    return SourceSettings(name="papers", kind="folder", path=str(folder), own=False)


def found(folder: Path, path: str) -> FoundFile:
    status = (folder / path).lstat()
    return FoundFile(
        path=path, size=status.st_size, mtime_ns=status.st_mtime_ns, ctime_ns=status.st_ctime_ns
    )


def extracted(
    extractor: Extractor, folder: Path, path: str = "letters/may.txt", **given: Any
) -> ReadFile | SkipReason:
    told: dict[str, Any] = {"format": "plain", "most_bytes": 2 << 20}
    file = found(folder, path)
    return extract_file(extractor, folder, file, settings=settings(folder), **(told | given))


def test_a_document_has_the_path_and_the_time_of_its_file(
    extractor: Extractor, papers: Path
) -> None:
    file = extracted(extractor, papers)
    assert isinstance(file, ReadFile)
    (document,) = file.documents

    assert document.text == "The damsons flowered early.\n"
    assert (document.source, document.path, document.own) == ("papers", "letters/may.txt", False)
    assert document.modified_at == file.mtime_ns / 1e9
    assert file.size == 28


def test_documents_of_one_file_are_told_apart(extractor: Extractor, papers: Path) -> None:
    file = extracted(extractor, papers, format="streams")
    assert isinstance(file, ReadFile)

    paths = [next(file.documents).path for _ in range(3)]
    assert paths == ["letters/may.txt#0", "letters/may.txt#1", "letters/may.txt#2"]


def test_a_file_that_gives_nothing_says_why_at_once(extractor: Extractor, papers: Path) -> None:
    assert extracted(extractor, papers, format="breaks") is SkipReason.DAMAGED
    assert extracted(extractor, papers, most_bytes=27) is SkipReason.TOO_LARGE
    assert extracted(extractor, papers, most_document_bytes=27) is SkipReason.TOO_LARGE


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda place: place.symlink_to("/etc/hostname"), SkipReason.SYMLINK),
        (os.mkfifo, SkipReason.NOT_REGULAR),
        (lambda place: place.mkdir(), SkipReason.NOT_REGULAR),
    ],
)
def test_only_a_regular_file_is_opened(
    extractor: Extractor, papers: Path, make: Callable[[Path], None], reason: SkipReason
) -> None:
    make(papers / "odd.txt")

    assert extracted(extractor, papers, "odd.txt") is reason
    assert extractor.process_id is None


def test_a_file_that_was_written_to_meanwhile_is_read_again(
    extractor: Extractor, papers: Path
) -> None:
    file = extracted(extractor, papers)
    assert isinstance(file, ReadFile)
    with (papers / "letters" / "may.txt").open("a") as more:
        more.write("And the quinces.\n")

    with pytest.raises(ExtractionFailed) as failed:
        list(file.documents)
    assert failed.value.reason is SkipReason.CHANGING


@pytest.mark.skipif("sys.platform != 'linux'")
def test_no_descriptor_stays_behind(extractor: Extractor, papers: Path) -> None:
    held = Path("/proc/self/fd")
    assert isinstance(extracted(extractor, papers), ReadFile)  # the child is started
    before = len(list(held.iterdir()))
    for format in ("plain", "refuses", "streams"):
        file = extracted(extractor, papers, format=format)
        assert isinstance(file, ReadFile)
        next(file.documents)
        del file
    for format in ("breaks", "missing", "babbles"):
        assert isinstance(extracted(extractor, papers, format=format), SkipReason)

    assert len(list(held.iterdir())) == before


class _Papers:
    """As much of a source as reading in batches needs."""

    def __init__(self, extractor: Extractor, folder: Path, formats: dict[str, str]) -> None:
        self.settings = settings(folder)
        self._extractor, self._folder, self._formats = extractor, folder, formats

    def read(self, file: FoundFile) -> ReadFile | SkipReason:
        return extract_file(
            self._extractor, self._folder, file, format=self._formats[file.path],
            settings=self.settings, most_bytes=1 << 20,
        )  # fmt: skip


def test_a_file_that_fails_in_the_middle_keeps_what_came_and_costs_no_other(
    extractor: Extractor, papers: Path
) -> None:
    for name in ("bad.txt", "good.txt"):
        (papers / name).write_text(f"This is {name}.\n")
    files = [found(papers, name) for name in ("bad.txt", "good.txt")]
    source: Any = _Papers(extractor, papers, {"bad.txt": "refuses", "good.txt": "plain"})

    (batch,) = read_batches(source, files)
    assert [document.path for document in batch.documents] == ["bad.txt#1", "good.txt"]
    assert batch.skipped == {files[0]: SkipReason.ENCRYPTED}
    assert list(batch.finished) == [files[1]]


async def test_no_child_is_left_when_nothing_is_followed_any_more(
    extractor: Extractor, papers: Path
) -> None:
    """As at lock."""
    collector = Collector(
        store=MemoryStore(), settings=CollectSettings(), watcher=NoWatcher(), extractor=extractor
    )
    file = extracted(extractor, papers, format="streams")
    assert isinstance(file, ReadFile)
    child = extractor.process_id
    assert child is not None
    await collector.clear()

    assert extractor.process_id is None
    with pytest.raises(ExtractionFailed) as failed:
        list(file.documents)
    assert failed.value.reason is SkipReason.UNREADABLE
    await collector.close()
