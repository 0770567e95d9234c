"""Checkpoints and samples: whole, replaced in one step, swept after a crash."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.errors import FileDamaged, StorageError, UnknownFile
from storage.vault import Vault
from tests.storage.making import flipped, publish, reopen


def on_disk(folder: Path, purpose: str = "checkpoints") -> list[Path]:
    return list((folder / "files" / purpose).iterdir())


def test_a_file_comes_back_whole(vault: Vault, folder: Path) -> None:
    data = bytes(range(256)) * 1000
    vault.checkpoints.write("night 1", [data[:100_000], data[100_000:]])
    vault.close()
    with reopen(folder) as again:
        assert again.checkpoints.exists("night 1")
        assert again.checkpoints.read("night 1") == data
        assert b"".join(again.checkpoints.read_chunks("night 1")) == data


def test_a_file_is_replaced_and_the_old_one_is_gone(vault: Vault, folder: Path) -> None:
    vault.checkpoints.write("night 1", [b"old"])
    vault.checkpoints.write("night 1", [b"new"])
    assert vault.checkpoints.read("night 1") == b"new"
    assert vault.checkpoints.names() == ["night 1"]
    assert len(on_disk(folder)) == 1
    assert vault.verify().intact


def test_a_file_that_fails_to_come_leaves_the_old_one(vault: Vault, folder: Path) -> None:
    vault.checkpoints.write("night 1", [b"old"])

    def torn() -> Iterator[bytes]:
        yield b"new"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        vault.checkpoints.write("night 1", torn())
    assert vault.checkpoints.read("night 1") == b"old"
    assert len(on_disk(folder)) == 1


def test_in_a_failed_transaction_the_old_file_stays(vault: Vault, folder: Path) -> None:
    vault.checkpoints.write("night 1", [b"old"])

    def interrupted() -> None:
        with vault.transaction():
            vault.checkpoints.write("night 1", [b"new"])
            raise ConnectionError

    with pytest.raises(ConnectionError):
        interrupted()
    assert vault.checkpoints.read("night 1") == b"old"
    assert len(on_disk(folder)) == 1


def test_a_deleted_file_is_gone(vault: Vault, folder: Path) -> None:
    vault.checkpoints.write("night 1", [b"old"])
    assert vault.checkpoints.delete("night 1")
    assert not vault.checkpoints.delete("night 1")
    assert not vault.checkpoints.exists("night 1")
    assert on_disk(folder) == []
    with pytest.raises(UnknownFile, match="among the checkpoints"):
        vault.checkpoints.read("night 1")


def test_one_name_may_serve_two_purposes(vault: Vault) -> None:
    vault.checkpoints.write("x", [b"checkpoint"])
    vault.samples.write("x", [b"sample"])
    assert vault.checkpoints.read("x") == b"checkpoint"
    assert vault.samples.read("x") == b"sample"
    assert vault.samples.names() == ["x"]


def test_names_do_not_show_on_the_disk(vault: Vault, folder: Path) -> None:
    adapter = publish(vault, b"weights")
    vault.checkpoints.write("night 1", [b"x"])
    names = " ".join(path.name for path in folder.rglob("*"))
    assert "night" not in names
    assert adapter.sha256[:8] not in names


@pytest.mark.parametrize("bit", [0, 40, 50, 130, 131_075, 600_000])
def test_a_flipped_bit_is_named_and_the_other_files_serve(
    vault: Vault, folder: Path, bit: int
) -> None:
    vault.checkpoints.write("damaged", [bytes(70_000)])
    [path] = on_disk(folder)
    vault.checkpoints.write("whole", [b"whole"])
    path.write_bytes(flipped(path.read_bytes(), bit))
    with pytest.raises(FileDamaged, match=r"checkpoints 1\) does not open"):
        vault.checkpoints.read("damaged")
    assert vault.checkpoints.read("whole") == b"whole"
    assert [found.number for found in vault.verify().damaged_files] == [1]


def test_files_that_no_record_names_are_swept_at_the_next_start(vault: Vault, folder: Path) -> None:
    vault.checkpoints.write("night 1", [b"kept"])
    vault.close()
    for name in ("00" * 16 + ".sealed", "11" * 16 + ".tmp"):
        (folder / "files" / "checkpoints" / name).write_bytes(b"left behind")
    with reopen(folder) as again:
        assert again.opening.swept_files == 2
        assert again.checkpoints.read("night 1") == b"kept"
    assert len(on_disk(folder)) == 1


def test_an_error_says_nothing_of_the_name(vault: Vault) -> None:
    with pytest.raises(StorageError) as caught:
        vault.samples.read("a private name")
    assert "private" not in str(caught.value)
