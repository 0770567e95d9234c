"""Chats in which nobody is the user, as far as it was said: who speaks is shown, and asked."""

from pathlib import Path
from typing import Any

import pytest

from daemon.errors import ChatsNameNobody
from ipc.errors import OperationError
from tests.daemon.cli.conftest import Run
from tests.daemon.cli.fake_service import FakeAdmin
from tests.daemon.cli.person import Open


@pytest.fixture
def strict(service: FakeAdmin) -> FakeAdmin:
    """Adds chats only where one of the speakers is the user."""
    taken = service.add_source

    async def add(**facts: Any) -> Any:
        if not set(facts["me"]) & set(service.collecting.speaking):
            raise OperationError("usage", str(ChatsNameNobody(2)))
        return await taken(**facts)

    service.add_source = add  # type: ignore[method-assign]
    return service


def test_on_a_terminal_the_user_picks_themselves(
    terminal: Open, strict: FakeAdmin, tmp_path: Path
) -> None:
    adding = terminal("privacy", "sources", "add", str(tmp_path), "--kind", "chats", "--no-wait")
    adding.wait_for("2  Max Ohm")
    adding.wait_for("Which of them are you?")
    adding.type("7")
    adding.wait_for("Which of them are you?")
    adding.type("2")

    assert adding.end() == 0
    assert [facts["me"] for name, facts in strict.asked if name == "add_source"] == [["Max Ohm"]]


def test_without_a_terminal_the_names_stand_beside_the_error(
    run: Run, strict: FakeAdmin, tmp_path: Path
) -> None:
    adding = ("privacy", "sources", "add", str(tmp_path), "--kind", "chats")
    result = run(*adding, "--me", "Tim")
    assert result.exit_code == 2
    assert "Ada, Max Ohm." in result.stderr
    assert "none is you" in result.stderr
    assert "Ada" not in run(*adding, "--json").stderr
    assert run(*adding, "--me", "Max Ohm", "--no-wait").exit_code == 0


def test_other_errors_ask_for_nobody(run: Run, service: FakeAdmin, tmp_path: Path) -> None:
    service.collecting.speaking = []
    service.refusal = OperationError("usage", "The folder is not there.")
    result = run("privacy", "sources", "add", str(tmp_path), "--kind", "chats")
    assert (result.exit_code, "speak" in result.stderr) == (2, False)
