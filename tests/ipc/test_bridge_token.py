"""The bridge's token: how it is made, kept from others, and compared."""

import hmac
import os
import stat
from pathlib import Path

import pytest

from ipc.bridge_token import (
    ALPHABET,
    PREFIX,
    Token,
    ensure_token,
    is_private,
    read_token,
    replace_token,
)
from ipc.errors import BridgeTokenDamaged, BridgeTokenMissing, BridgeTokenUnsafe


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "bridge.token"


def test_it_is_random_of_256_bits_and_its_owners_alone(file: Path) -> None:
    before = os.umask(0)
    try:
        assert ensure_token(file)
    finally:
        os.umask(before)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    token = read_token(file)
    assert len(ALPHABET) ** len(token.text.removeprefix(PREFIX)) > 2**256
    assert len({Token.random().text for _ in range(100)}) == 100
    assert token.text not in repr(token)
    assert list(file.parent.iterdir()) == [file]  # nothing is left beside it


def test_one_that_is_there_stays_until_a_new_one_is_asked_for(file: Path) -> None:
    ensure_token(file)
    first = read_token(file)

    assert not ensure_token(file)
    assert read_token(file) == first
    replace_token(file)
    assert read_token(file) != first
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601, 0o644])
def test_a_file_that_others_may_touch_is_not_used(file: Path, mode: int) -> None:
    ensure_token(file)
    file.chmod(mode)

    with pytest.raises(BridgeTokenUnsafe, match="--new-token"):
        read_token(file)
    assert not ensure_token(file), "it is not made anew unasked"


def test_a_link_a_pipe_and_a_file_of_another_user_are_not_used(file: Path) -> None:
    other = file.with_name("other")
    ensure_token(other)
    file.symlink_to(other)
    with pytest.raises(BridgeTokenUnsafe):
        read_token(file)
    file.unlink()
    os.mkfifo(file, 0o600)
    with pytest.raises(BridgeTokenUnsafe):
        read_token(file)
    assert is_private(other.stat(), uid=os.geteuid())
    assert not is_private(other.stat(), uid=os.geteuid() + 1)


@pytest.mark.parametrize("held", [b"", b"secret", b"sk-nightloom" + b"A" * 42, b"\0" * 10_000])
def test_a_file_that_holds_something_else_is_said_to(file: Path, held: bytes) -> None:
    file.write_bytes(held)
    file.chmod(0o600)

    with pytest.raises(BridgeTokenDamaged, match="--new-token"):
        read_token(file)


def test_without_a_file_that_is_said(file: Path) -> None:
    with pytest.raises(BridgeTokenMissing, match="--new-token"):
        read_token(file)


def test_a_token_is_compared_in_a_time_that_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the library's comparison, whole against whole, whatever was given."""
    compared: list[tuple[bytes, bytes]] = []
    library = hmac.compare_digest

    def watched(given: bytes, right: bytes) -> bool:
        compared.append((given, right))
        return library(given, right)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    token = Token.random()
    wrong = ["", "n", token.text[:-1], token.text + "x", token.text.swapcase(), "é", "\udce9"]

    assert [token.is_shown(given) for given in (*wrong, token.text)] == [False] * len(wrong) + [
        True
    ]
    assert [right for _, right in compared] == [token.text.encode()] * (len(wrong) + 1)
