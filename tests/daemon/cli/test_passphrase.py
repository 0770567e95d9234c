"""Where the passphrase may come from, and what is refused."""

import os
from pathlib import Path

import pytest

from daemon.cli.errors import (
    CommandError,
    PassphraseEmpty,
    PassphraseFileMissing,
    PassphraseFileTooOpen,
    PassphraseFileUnreadable,
)
from daemon.cli.passphrase import read_passphrase_file


def private_file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    file = folder / "passphrase"
    file.write_bytes(content)
    file.chmod(mode)
    return file


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_the_line_end_is_no_part_of_the_passphrase(tmp_path: Path, ending: bytes) -> None:
    file = private_file(tmp_path, "korrekt  pferd \u00fc".encode() + ending)

    assert read_passphrase_file(file) == "korrekt  pferd \u00fc"


def test_a_pipe_will_do() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"through a pipe")
    os.close(writing)

    assert read_passphrase_file(Path(f"/dev/fd/{reading}")) == "through a pipe"
    os.close(reading)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_can_touch_is_not_used(tmp_path: Path, mode: int) -> None:
    with pytest.raises(PassphraseFileTooOpen):
        read_passphrase_file(private_file(tmp_path, b"secret", mode))


@pytest.mark.parametrize("content", [b"", b"\n", b"  \n"])
def test_an_empty_passphrase_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(PassphraseEmpty):
        read_passphrase_file(private_file(tmp_path, content))


def test_a_missing_file_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(PassphraseFileMissing):
        read_passphrase_file(tmp_path / "none")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"x" * 5000])
def test_a_file_of_another_kind_is_refused_and_not_repeated(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(PassphraseFileUnreadable) as refused:
        read_passphrase_file(private_file(tmp_path, content))
    assert refused.value.__context__ is None or refused.value.__suppress_context__


def test_a_folder_is_not_a_passphrase_file(tmp_path: Path) -> None:
    with pytest.raises(PassphraseFileUnreadable):
        read_passphrase_file(tmp_path)


def test_no_refusal_holds_the_path_or_the_content(tmp_path: Path) -> None:
    file = private_file(tmp_path, b"hunter2", 0o644)
    with pytest.raises(CommandError) as refused:
        read_passphrase_file(file)
    assert "hunter2" not in str(refused.value)
    assert str(tmp_path) not in str(refused.value)
