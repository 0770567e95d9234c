"""`nightloom adapters show`, `export`, `delete`; the service answers as it is told."""

import contextlib
import hashlib
import json
import os
import signal
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from daemon.cli import peft_folder
from daemon.cli.peft_config import base_reference, peft_config
from daemon.cli.peft_folder import write_adapter
from daemon.cli.peft_readme import readme
from ipc.errors import OperationError
from tests.daemon.cli.conftest import Run
from tests.daemon.cli.fake_forgetting import COST, DONE
from tests.daemon.cli.fake_service import FakeAdmin
from tests.daemon.cli.fake_shelf import BEGIN, DIGEST, SHOWN, WEIGHTS, export_lines
from tests.daemon.cli.person import Open

Json = dict[str, Any]

SECRET = "larks over Zennor"
HOSTILE = "a\x1b[31mred\x1b[0m\x07\u202eb"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.touch(mode=0o600)
    file.write_text(SECRET)
    return file


def unwatched(_done: int, _total: int) -> None:
    """Nobody looks."""


# --------------------------------------------------------------------------- export


def test_an_adapter_is_written_as_peft_has_it_and_privately(
    run: Run, service: FakeAdmin, tmp_path: Path, secret: Path
) -> None:
    out = tmp_path / "new" / "out"
    result = run("adapters", "export", "fedc", str(out), "--passphrase-file", str(secret))
    assert result.exit_code == 0, result.output
    assert "holds private text" in result.stdout
    (_, shown), (verb, given) = service.shelf.asked
    assert (shown, verb) == ({"adapter": "fedc"}, "export")
    assert (given["adapter"], given["folder"]) == (DIGEST, str(out))
    assert given["secret"].text == SECRET

    weights = out / "adapter_model.safetensors"
    assert sorted(path.name for path in out.iterdir()) == [
        "README.md",
        "adapter_config.json",
        weights.name,
    ]
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == DIGEST
    assert json.loads((out / "adapter_config.json").read_text()) == peft_config(BEGIN)
    assert (out / "README.md").read_text() == readme(BEGIN)
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_what_was_written_is_told_as_json(
    run: Run, service: FakeAdmin, tmp_path: Path, secret: Path
) -> None:
    out = tmp_path / "out"
    words = ("adapters", "export", "fedc", str(out), "--passphrase-file", str(secret), "--json")
    assert json.loads(run(*words).stdout) == {
        "sha256": DIGEST,
        "folder": str(out),
        "bytes": len(WEIGHTS),
        "base": BEGIN["base"],
        "base_model_name_or_path": "Qwen/Qwen2.5-1.5B-Instruct",
        "revision": "0123abcd",
    }


def test_the_config_is_this_and_nothing_else() -> None:
    assert peft_config(BEGIN) == {
        "auto_mapping": {
            "base_model_class": "Qwen2ForCausalLM",
            "nightloom": {
                "adapter_parent": None,
                "adapter_sha256": DIGEST,
                "base_identity": "ab" * 32,
                "base_name": "Qwen2.5-1.5B-Instruct",
                "base_origin": "hub:Qwen/Qwen2.5-1.5B-Instruct@0123abcd",
            },
            "parent_library": "transformers.models.qwen2.modeling_qwen2",
        },
        "base_model_name_or_path": "Qwen/Qwen2.5-1.5B-Instruct",
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "lora_alpha": 16,
        "lora_dropout": 0.0,
        "modules_to_save": None,
        "peft_type": "LORA",
        "r": 16,
        "revision": "0123abcd",
        "target_modules": ["down_proj", "q_proj"],
        "task_type": "CAUSAL_LM",
        "use_rslora": True,
    }


@pytest.mark.parametrize(
    ("origin", "name", "revision"),
    [
        ("hub:Qwen/Qwen3-8B@0123", "Qwen/Qwen3-8B", "0123"),
        ("folder:my-model", "/bases/one", None),
        ("folder:hub:a@b", "/bases/one", None),
        ("nightloom", "/bases/one", None),
        ("hub:nothing-pinned", "/bases/one", None),
    ],
)
def test_a_base_is_named_by_the_hub_or_else_by_its_folder(
    origin: str, name: str, revision: str | None
) -> None:
    found = base_reference({"origin": origin, "folder": "/bases/one"})
    assert (found.name_or_path, found.revision) == (name, revision)


def test_a_base_that_is_not_here_is_not_made_up() -> None:
    facts = BEGIN | {"base_model": None}
    config = peft_config(facts)
    assert config["base_model_name_or_path"] is None
    assert config["auto_mapping"]["nightloom"]["base_identity"] == "ab" * 32
    assert "```python" not in readme(facts)
    assert "ab" * 32 in readme(facts)


def test_the_readme_warns_and_says_how_to_load_it_from_where_its_base_is() -> None:
    told = readme(BEGIN)
    assert "holds private text" in told
    assert "BitsAndBytesConfig(" in told
    assert "nightloom base export qwen2.5-1.5b-instruct DIR" in told
    local = readme(BEGIN | {"base_model": BEGIN["base_model"] | {"origin": "folder:x"}})
    assert "BitsAndBytesConfig" not in local
    rude = readme(BEGIN | {"base_model": BEGIN["base_model"] | {"model": "a|b\n# `c`"}})
    assert "| base | a/b # 'c' (Qwen/Qwen2.5-1.5B-Instruct at 0123abcd) |" in rude


@pytest.mark.parametrize("there", ["file", "full", "link"])
def test_a_place_that_is_taken_is_left_alone_and_nobody_is_asked(
    run: Run, service: FakeAdmin, tmp_path: Path, there: str
) -> None:
    out = tmp_path / "out"
    if there == "file":
        out.write_text("mine")
    elif there == "link":
        (tmp_path / "other").mkdir()
        out.symlink_to(tmp_path / "other")
    else:
        out.mkdir()
        (out / "mine").touch()
    assert run("adapters", "export", "fedc", str(out)).exit_code == 5
    assert not service.shelf.asked


def test_an_adapter_that_is_not_there_is_said_before_a_secret_is_asked_for(
    run: Run, service: FakeAdmin, tmp_path: Path
) -> None:
    service.shelf.refusal = OperationError("usage", "There is no such adapter on the shelf.")
    result = run("adapters", "export", "0000", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert "no such adapter" in result.stderr
    assert [verb for verb, _ in service.shelf.asked] == ["show"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kept", range(len(export_lines())))
def test_an_export_that_is_cut_short_leaves_nothing(tmp_path: Path, kept: int) -> None:
    with pytest.raises(Exception, match=r"short|went away|end"):
        write_adapter(export_lines()[:kept], tmp_path / "out", unwatched)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "lines",
    [
        [{"piece": "AAAA"}],
        export_lines(sha256="cd" * 32),
        export_lines(sha256="../../evil"),
        export_lines(bytes=1),
        export_lines(bytes="many"),
        export_lines(lora={"rank": 16}),
        export_lines(trained_at="soon"),
        export_lines()[:2] + export_lines()[3:],
        [export_lines()[0], {"piece": "no base64"}],
        [export_lines()[0], {"piece": 7}],
        [*export_lines()[:-2], {"end": {"bytes": 3}}, export_lines()[-1]],
    ],
)
def test_what_does_not_fit_together_is_refused_and_leaves_nothing(
    tmp_path: Path, lines: list[Json]
) -> None:
    with pytest.raises(Exception, match="does not fit together"):
        write_adapter(lines, tmp_path / "out", unwatched)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    def lines() -> Iterator[Json]:
        yield from export_lines()[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_adapter(lines(), tmp_path / "out", unwatched)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_closed_terminal_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals come to the main thread")

    def lines() -> Iterator[Json]:
        yield from export_lines()[:2]
        os.kill(os.getpid(), number)
        yield from export_lines()[2:]

    with pytest.raises(KeyboardInterrupt):
        write_adapter(lines(), tmp_path / "out", unwatched)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_and_says_so(
    run: Run, service: FakeAdmin, tmp_path: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")

    @contextlib.contextmanager
    def on_a_full_disk(path: Path) -> Iterator[IO[bytes]]:
        path.touch()
        with Path("/dev/full").open("wb") as file:
            yield file

    monkeypatch.setattr(peft_folder, "created", on_a_full_disk)
    words = ("adapters", "export", "fedc", str(tmp_path / "out"), "--passphrase-file", str(secret))
    result = run(*words)
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


# --------------------------------------------------------------------------- show


def test_an_adapter_is_shown_with_its_night_and_its_exports(run: Run, service: FakeAdmin) -> None:
    said = run("adapters", "show", "fedc").stdout
    for word in (
        DIGEST,
        "available, kept to go back to",
        "80,000 tokens in 2 min 35 s",
        "passed: The loss on held-out text fell",
        "4.000 → 3.400  (-15.0 %)",
        "0 of 8 repeated",
        "/media/stick/adapter",
    ):
        assert word in said
    assert json.loads(run("adapters", "show", "fedc", "--json").stdout) == SHOWN


def test_what_is_not_known_of_an_adapter_is_said(run: Run, service: FakeAdmin) -> None:
    service.shelf.shown = SHOWN | {"night": None, "exports": [], "base_name": None, "parent": None}
    said = run("adapters", "show", "fedc").stdout
    for word in ("not in the log", "never", "not on this machine", "a fresh one"):
        assert word in said


def test_a_folder_does_not_drive_the_terminal(run: Run, service: FakeAdmin) -> None:
    service.shelf.shown = SHOWN | {"exports": [{"at": None, "folder": HOSTILE}]}
    said = run("adapters", "show", "fedc").stdout + run("adapters", "delete", "f", "--yes").stdout
    assert "a[31mred[0mb" in said
    assert not {"\x1b", "\x07", "\u202e"} & set(said)


# --------------------------------------------------------------------------- delete


def test_an_adapter_is_deleted_only_after_a_yes(run: Run, service: FakeAdmin) -> None:
    assert run("adapters", "delete", "fedc").exit_code == 2
    assert [verb for verb, _ in service.shelf.asked] == ["show"]
    said = run("adapters", "delete", "fedc", "--yes", "--pinned", "--now").stdout
    assert "12 MB are free" in said
    assert "to /media/stick/adapter: that stays until you delete it." in said
    assert service.shelf.asked[-1] == ("delete", {"adapter": DIGEST, "pinned": True, "now": True})


def test_the_question_says_what_is_deleted(terminal: Open, service: FakeAdmin) -> None:
    shown = terminal("adapters", "delete", "fedc")
    shown.wait_for("Delete them?")
    shown.type("n")
    assert shown.end() == 1
    assert f"adapter {DIGEST[:12]}, which saw 240 documents," in shown.shown
    assert [verb for verb, _ in service.shelf.asked] == ["show"]


def test_one_that_still_answers_somebody_says_so(run: Run, service: FakeAdmin) -> None:
    service.shelf.answering = True
    assert "It still answers somebody" in run("adapters", "delete", "fedc", "--yes").stdout


def test_one_that_is_gone_is_gone(run: Run, service: FakeAdmin) -> None:
    service.shelf.freed_bytes = 0
    assert "had no weights any more" in run("adapters", "delete", "fedc", "--yes").stdout


@pytest.mark.parametrize("verb", ["show", "delete", "export"])
def test_a_body_without_an_adapter_is_a_usage_error(
    service: FakeAdmin, home: Path, verb: str
) -> None:
    from ipc.client import AdminClient
    from ipc.sockets import admin_socket_path

    class Client(AdminClient):
        def post(self) -> Json:
            return self._object("POST", f"/adapters/{verb}", {"adapter": 7})

    with pytest.raises(OperationError) as error:
        Client(admin_socket_path(home / "run")).post()
    assert error.value.code == "usage"
    assert not service.shelf.asked


# --------------------------------------------------------------------------- told elsewhere


def test_an_audit_and_a_forgetting_name_what_was_exported(run: Run, service: FakeAdmin) -> None:
    assert "fedcba987654  /media/stick/adapter" in run("privacy", "audit").stdout
    out = [{"adapter": "fedcba987654", "at": 1_795_000_000.0, "folder": "/media/stick/adapter"}]
    service.forgetting.cost_answer = COST | {"exported": out}
    service.forgetting.done_answer = DONE | {"exported": out}
    said = run("privacy", "forget", "--document", "3", "--yes").stdout
    assert said.count("Adapter fedcba987654 was exported on ") == 2
    assert said.count("to /media/stick/adapter: that stays until you delete it.") == 2
