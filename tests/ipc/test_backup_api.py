"""The backup over `admin.sock`: whole, or an error, and never half of one that looks whole."""

from pathlib import Path

import pytest

from ipc.client import AdminClient
from ipc.errors import AnswerCutShort, NotRunning, OperationError
from tests.daemon.cli.fake_backup import HOLDS
from tests.ipc.serving import SOON_SECONDS, house


def test_the_parts_come_as_they_were_made(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served:
        pieces = served.administration.backup.pieces
        parts = list(served.admin.backup())

    assert parts[0] == HOLDS
    assert parts[1:-1] == pieces
    assert parts[-1] == {"backup": HOLDS | {"bytes": sum(map(len, pieces)), "recorded": True}}


def test_a_refusal_at_once_has_a_status_of_its_own(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served:
        served.administration.backup.refusal = OperationError("locked", "The vault is locked.")
        assert served.ask("POST", "/backup", path=served.admin_path).status == 423
        with pytest.raises(OperationError, match="The vault is locked") as refused:
            next(served.admin.backup())
    assert refused.value.code == "locked"


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (OperationError("failed", "The vault was closed."), "The vault was closed."),
        (RuntimeError("a private word"), "nightloom failed at this; its log says where."),
    ],
)
def test_a_failure_in_the_middle_is_told(
    tmp_path: Path, failure: Exception, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    with house(tmp_path / "run") as served:
        served.administration.backup.failure = failure
        with pytest.raises(OperationError) as told:
            list(served.admin.backup())
    assert told.value.sentence == sentence
    assert "private word" not in caplog.text


def test_who_hangs_up_gives_it_up(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served:
        fake = served.administration.backup
        fake.pieces = [bytes(1 << 20)] * 200
        parts = served.admin.backup()
        next(parts)
        next(parts)
        parts.close()
        assert fake.given_up.wait(SOON_SECONDS)


def test_without_a_service_nothing_runs(tmp_path: Path) -> None:
    with pytest.raises(NotRunning):
        next(AdminClient(tmp_path / "admin.sock").backup())


def test_an_answer_that_is_none_of_ours_is_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house(tmp_path / "run") as served:
        for kind in (b"x", b""):
            monkeypatch.setattr("ipc.backup_api.DATA", kind or b"d")
            if not kind:  # larger than any part may be
                monkeypatch.setattr("ipc.backup_client.LONGEST_PART", 1000)
            with pytest.raises(AnswerCutShort):
                list(served.admin.backup())
