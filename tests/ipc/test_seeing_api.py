"""Preview, test, audit and export over `admin.sock`, through `AdminClient`."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from ipc.errors import OperationError
from ipc.given_secret import GivenSecret
from tests.daemon.cli.fake_seeing import AUDIT, TEXT
from tests.ipc.serving import Administration, House, house

SECRET = "seventeen quiet herons"


def asked(served: House) -> list[tuple[str, dict[str, Any]]]:
    return served.administration.seeing.asked


def test_texts_come_one_a_line_as_they_are(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served:
        served.administration.seeing.text_lines = [TEXT, TEXT | {"text": "ü\u2028\n🐝 \udcff"}]
        assert list(served.admin.texts()) == served.administration.seeing.text_lines
        assert list(served.admin.texts(document=7))
        assert list(served.admin.texts(after=3, count=2))
    assert [given for _, given in asked(served)] == [
        {"document": None, "after": 0, "count": None},
        {"document": 7, "after": 0, "count": None},
        {"document": None, "after": 3, "count": 2},
    ]


def test_no_text_is_an_empty_answer(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served:
        served.administration.seeing.text_lines = []
        assert list(served.admin.texts()) == []


@pytest.mark.parametrize("number", ["-1", "x", "1.5", "9" * 17, "²"])
def test_a_number_that_is_none_is_refused(tmp_path: Path, number: str) -> None:
    from urllib.parse import quote

    with house(tmp_path / "run") as served:
        reply = served.ask(
            "GET", f"/preview/texts?document={quote(number)}", path=served.admin_path
        )
        assert reply.status == 400
        assert not asked(served)


def test_a_refusal_and_a_failure_in_the_middle_reach_the_command(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served:
        seeing = served.administration.seeing
        seeing.failure = OperationError("locked", "The vault is locked.")
        lines = served.admin.texts()
        assert next(lines) == TEXT
        with pytest.raises(OperationError, match="is locked") as error:
            next(lines)
        assert error.value.code == "locked"
        seeing.refusal = OperationError("refused", "Not now.")
        with pytest.raises(OperationError, match="Not now"):
            next(served.admin.texts())


def test_a_failure_is_logged_without_its_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), house(tmp_path / "run") as served:
        served.administration.seeing.failure = RuntimeError(SECRET)
        with pytest.raises(OperationError, match="failed at this"):
            list(served.admin.texts())
    assert SECRET not in caplog.text
    assert "RuntimeError" in caplog.text


def test_a_text_is_asked_about_and_not_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), house(tmp_path / "run") as served:
        served.administration.seeing.was_forgotten = True
        assert served.admin.forgotten(source="notes", path="a/b\udcff.md", text=SECRET)
    assert asked(served)[0][1] == {"source": "notes", "path": "a/b\udcff.md", "text": SECRET}
    assert SECRET not in caplog.text


def test_an_audit_tells_how_far_it_is_and_then_what_it_found(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served:
        lines = list(served.admin.audit(quick=True, since=5.5))
    assert lines[-1] == {"audit": AUDIT}
    assert all("progress" in line for line in lines[:-1])
    assert asked(served) == [("audit", {"quick": True, "since": 5.5})]


@pytest.mark.parametrize(
    "body", [{"quick": 1}, {"since": "x"}, {"since": True}, {"quick": "yes"}, [], "x"]
)
def test_an_audit_of_another_shape_is_refused(tmp_path: Path, body: object) -> None:
    with house(tmp_path / "run") as served:
        reply = served.ask("POST", "/audit", json.dumps(body).encode(), path=served.admin_path)
        assert reply.status == 400


def test_an_export_takes_its_secret_from_the_body(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), house(tmp_path / "run") as served:
        assert list(served.admin.export({"passphrase": SECRET})) == [
            {"done": {"documents": 0, "left_out": 0}}
        ]
        assert list(served.admin.export({"recovery_key": "QPZRY"}))
    first, second = [given["secret"] for _, given in asked(served)]
    assert first == GivenSecret(kind="passphrase", text=SECRET)
    assert second.kind == "recovery_key"
    assert SECRET not in caplog.text
    assert SECRET not in repr(first)


@pytest.mark.parametrize("body", [{}, {"passphrase": ""}, {"passphrase": 5}, {"secret": "x"}])
def test_an_export_without_a_secret_is_refused(tmp_path: Path, body: object) -> None:
    with house(tmp_path / "run") as served:
        reply = served.ask("POST", "/export", json.dumps(body).encode(), path=served.admin_path)
        assert reply.status == 400
        assert not asked(served)


def test_none_of_it_is_to_be_had_at_the_other_socket(tmp_path: Path) -> None:
    administration = Administration()
    with house(tmp_path / "run", administration=administration) as served:
        for method, route in (
            ("GET", "/preview/texts"),
            ("POST", "/test/forgotten"),
            ("POST", "/audit"),
            ("POST", "/export"),
            ("POST", "/adapters/show"),
            ("POST", "/adapters/export"),
            ("POST", "/adapters/delete"),
        ):
            assert served.ask(method, route, b"{}").status == 404
    assert not administration.seeing.asked
    assert not administration.shelf.asked
