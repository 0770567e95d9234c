"""`nightloom privacy preview`, `test`, `audit`, `export`; the service answers as it is told."""

import base64
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.export_folder import safe_name, write_export
from daemon.cli.preview import marked
from ipc.errors import OperationError
from tests.daemon.cli import fake_service
from tests.daemon.cli.conftest import Run
from tests.daemon.cli.fake_seeing import AUDIT, TEXT
from tests.daemon.cli.fake_service import FakeAdmin
from tests.daemon.cli.person import Open

Json = dict[str, Any]

HOSTILE = "a\x1b[31mred\x1b[0m\x07\u202eb"


# --------------------------------------------------------------------------- preview


def documents(count: int) -> Json:
    listed = [
        {"document": n, "source": "letters", "path": f"n{n}.md", "state": "new", "characters": n}
        | {"language": "en", "quality": 0.9, "left_out": None, "twin_of": None}
        for n in range(1, count + 1)
    ]
    return fake_service.PREVIEW | {"documents": listed}


def test_the_documents_are_shown_in_pages(run: Run, service: FakeAdmin) -> None:
    service.preview_answer = documents(45)
    said = run("privacy", "preview", "--page", "3").stdout
    assert "n41.md" in said
    assert "n40.md" not in said
    assert "Page 3 of 3." in said
    assert (
        "There is no page 9; the pages are 1 to 3."
        in run("privacy", "preview", "--page", "9").stdout
    )
    answer = json.loads(run("privacy", "preview", "--page", "1", "--json").stdout)
    assert [one["document"] for one in answer["documents"]] == list(range(1, 21))
    assert answer["pages"] == 3
    assert fake_service.PREVIEW.keys() <= answer.keys()


def test_what_a_night_leaves_out_is_counted_by_reason_and_named(
    run: Run, service: FakeAdmin
) -> None:
    service.preview_answer = documents(3) | {"left_out": {"log": 2, "near_duplicate": 1}}
    service.preview_answer["documents"][1] |= {"left_out": "near_duplicate", "twin_of": 1}
    said = run("privacy", "preview").stdout
    assert "log                     2  a log" in said
    assert "near_duplicate          1  nearly the same as another" in said
    listed = run("privacy", "preview", "--page", "1").stdout
    assert "near_duplicate of 1" in listed
    assert "  en  " in listed


def test_a_documents_text_is_shown_with_what_was_taken_out(run: Run, service: FakeAdmin) -> None:
    said = run("privacy", "preview", "--document", "7").stdout
    assert "Write to [email 1] about the hives, please." in said
    assert "document 7  letters  spring/to-ada.md  (new; redacted: 1 email)" in said
    assert service.seeing.asked == [("texts", {"document": 7, "after": 0, "count": None})]


def test_texts_as_json_are_one_document_a_line(run: Run, service: FakeAdmin) -> None:
    service.seeing.text_lines = [TEXT, TEXT | {"document": 8}]
    lines = run("privacy", "preview", "--text", "--json").stdout.splitlines()
    assert [json.loads(line) for line in lines] == service.seeing.text_lines


def test_the_texts_of_a_page_are_asked_for_and_no_others(run: Run, service: FakeAdmin) -> None:
    service.preview_answer = documents(45)
    assert run("privacy", "preview", "--text", "--page", "2").exit_code == 0
    assert service.seeing.asked == [("texts", {"document": None, "after": 20, "count": 20})]
    said = run("privacy", "preview", "--text", "--page", "4").stdout
    assert said.startswith("There is no page 4")


def test_without_new_text_it_says_so(run: Run, service: FakeAdmin) -> None:
    service.seeing.text_lines = []
    assert run("privacy", "preview", "--text").stdout.startswith("There is no new text")


def test_with_the_text_stands_which_lines_of_it_are_not_learned(
    run: Run, service: FakeAdmin
) -> None:
    assert service.seeing.text_lines
    said = run("privacy", "preview", "--text").stdout
    assert said.startswith("Not learned (shared_lines): lines that very many texts have")


def test_neither_text_nor_names_drive_the_terminal(run: Run, service: FakeAdmin) -> None:
    service.seeing.text_lines = [TEXT | {"text": HOSTILE, "path": HOSTILE, "placeholders": []}]
    said = run("privacy", "preview", "--text").stdout
    assert "a[31mred[0mb" in said
    assert not {"\x1b", "\x07", "\u202e"} & set(said)


def test_on_a_terminal_the_text_goes_through_the_pager(
    terminal: Open, service: FakeAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAGER", "sed s/^/paged:/")
    shown = terminal("privacy", "preview", "--document", "7")
    assert shown.end() == 0
    assert "paged:Write to [email 1] about the hives, please." in shown.shown


def test_what_was_taken_out_is_in_colour_where_there_are_colours() -> None:
    assert marked(TEXT["text"], TEXT["placeholders"], colour=True) == (
        "Write to \x1b[33m\x1b[1m[email 1]\x1b[0m about the hives, please."
    )
    assert marked(TEXT["text"], TEXT["placeholders"], colour=False) == TEXT["text"]


def test_a_failure_in_the_middle_is_a_failure(run: Run, service: FakeAdmin) -> None:
    service.seeing.failure = OperationError("locked", "The vault is locked; unlock it.")
    result = run("privacy", "preview", "--text", "--json")
    assert result.exit_code == 3
    assert "The vault is locked" in result.stderr


# --------------------------------------------------------------------------- test


@pytest.fixture
def letters(home: Path, service: FakeAdmin) -> Path:
    """A folder that the service has as a source."""
    folder = home / "elsewhere" / "letters"
    folder.mkdir(parents=True)
    other = home.parent / f"{home.name}-letters"
    folder.rename(other)
    service.source_list = [
        fake_service.SOURCE | {"path": str(other), "include": ["*.md"], "exclude": []}
    ]
    (other / "one.md").write_text("Write to ada@example.org about the hives.\n")
    return other


def tried(run: Run, *words: str, stdin: str | None = None) -> Json:
    result = run("privacy", "test", *words, "--json", stdin=stdin)
    assert result.exit_code == 0, result.output
    answer: Json = json.loads(result.stdout)
    return answer


def test_a_file_that_would_be_collected_says_what_would_be_redacted(
    run: Run, letters: Path, service: FakeAdmin
) -> None:
    answer = tried(run, str(letters / "one.md"))
    assert answer == {
        "collect": True,
        "reason": "wanted",
        "source": "letters",
        "path": "one.md",
        "glob": "*.md",
        "forgotten": False,
        "redactions": [{"kind": "email", "start": 9, "end": 24}],
        "left_out": {"too_short": 1},
        "documents": 1,
    }
    [(_, given)] = service.seeing.asked
    assert given["text"] == "Write to [email 1] about the hives.\n"
    assert "ada" not in str(given)


def test_what_a_night_would_leave_out_is_said_with_the_rule(run: Run, letters: Path) -> None:
    said = run("privacy", "test", str(letters / "one.md")).stdout
    assert "A night would leave it out (too_short): too short to teach." in said
    (letters / "two.md").write_text(
        "The bees are out on the ivy again, and I sat by them an hour.\n"
    )
    assert "would leave" not in run("privacy", "test", str(letters / "two.md")).stdout


def test_text_is_shown_only_where_it_is_asked_for(run: Run, letters: Path) -> None:
    path = str(letters / "one.md")
    assert "hives" not in run("privacy", "test", path).stdout
    assert "Write to [email 1] about the hives." in run("privacy", "test", path, "--text").stdout
    [shown] = tried(run, path, "--text")["texts"]
    assert shown["placeholders"] == [{"kind": "email", "start": 9, "end": 18}]


def test_what_was_forgotten_would_not_be_collected(
    run: Run, letters: Path, service: FakeAdmin
) -> None:
    service.seeing.was_forgotten = True
    answer = tried(run, str(letters / "one.md"))
    assert (answer["collect"], answer["reason"], answer["forgotten"]) == (False, "forgotten", True)


def test_the_rule_that_says_no_is_a_sentence(run: Run, letters: Path) -> None:
    (letters / "table.csv").write_text("a,b")
    said = run("privacy", "test", str(letters / "table.csv")).stdout
    assert "fits none of the source's globs" in said
    assert "Its source is letters." in said


def test_stdin_is_tried_as_a_text(run: Run, service: FakeAdmin) -> None:
    answer = tried(run, "-", stdin="Mail bo@example.org")
    assert (answer["collect"], answer["source"]) == (True, None)
    assert [one["kind"] for one in answer["redactions"]] == ["email"]


def test_without_a_service_the_redactions_are_shown_and_nothing_is_collected(
    run: Run, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "one.md").write_text("Mail bo@example.org")
    answer = tried(run, str(tmp_path / "one.md"))
    assert (answer["collect"], answer["reason"], answer["source"]) == (False, "not_running", None)
    assert [one["kind"] for one in answer["redactions"]] == ["email"]
    assert tried(run, "-", stdin="no secrets here")["forgotten"] is None


def test_a_locked_vault_collects_nothing(run: Run, letters: Path, service: FakeAdmin) -> None:
    service.refusal = OperationError("locked", "The vault is locked.")
    assert tried(run, str(letters / "one.md"))["reason"] == "locked"


# --------------------------------------------------------------------------- audit


def test_an_audit_that_holds_is_shown_whole(run: Run, service: FakeAdmin) -> None:
    result = run("privacy", "audit")
    assert result.exit_code == 0
    for word in ("editor", "personal@fedcba987654", "letters", "All checks hold.", "lies in clear"):
        assert word in result.stdout
    assert service.seeing.asked == [("audit", {"quick": False, "since": None})]


def test_an_audit_that_fails_fails(run: Run, service: FakeAdmin) -> None:
    failed = {"name": "seals", "holds": False, "value": "2 rows do not open", "advice": "Go back."}
    service.seeing.audit_answer = AUDIT | {"holds": False, "checks": [failed]}
    result = run("privacy", "audit", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == service.seeing.audit_answer
    assert "✗  seals  2 rows do not open  Go back." in run("privacy", "audit").stdout


def test_an_audit_of_some_days_asks_for_those(run: Run, service: FakeAdmin) -> None:
    assert run("privacy", "audit", "--since", "2", "--quick").exit_code == 0
    [(_, given)] = service.seeing.asked
    assert given["quick"] is True
    assert given["since"] > 1_700_000_000


def test_programs_with_evil_names_do_not_drive_the_terminal(run: Run, service: FakeAdmin) -> None:
    evil = AUDIT["asked"][0] | {"program": HOSTILE + "\nadmin  root"}
    service.seeing.audit_answer = AUDIT | {"asked": [evil]}
    said = run("privacy", "audit").stdout
    assert "\x1b" not in said
    assert "?admin  root" in said


# --------------------------------------------------------------------------- export


def exported() -> list[Json]:
    text = "Dear Ada — 🐝\n".encode()
    weights = bytes(range(256)) * 4
    digest = "ab" * 32
    return [
        {"begin": {"kind": "document", "document": 7, "path": "spring/To Ada!.md"}},
        *({"piece": base64.b64encode(text[n : n + 5]).decode()} for n in range(0, len(text), 5)),
        {"end": {"bytes": len(text)}},
        {"begin": {"kind": "adapter", "sha256": digest}},
        {"piece": base64.b64encode(weights).decode()},
        {"end": {"bytes": len(weights)}},
        {"of": "nights", "record": {"id": 1, "state": "done"}},
        {"of": "events", "record": {"id": 1, "kind": "collected"}},
        {"done": {"documents": 1, "adapters": 1, "nights": 1, "events": 1, "left_out": 0}},
    ]


def test_an_export_is_written_privately(run: Run, service: FakeAdmin, tmp_path: Path) -> None:
    service.seeing.export_lines = exported()
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text("larks\n")
    out = tmp_path / "new" / "out"
    result = run("privacy", "export", str(out), "--passphrase-file", str(secret))
    assert result.exit_code == 0, result.output
    assert "in clear" in result.stdout
    [(_, given)] = service.seeing.asked
    assert given["secret"].text == "larks"
    assert given["folder"] == str(out)

    assert (out / "documents" / "00000007-To-Ada.md").read_text("utf-8") == "Dear Ada — 🐝\n"
    [about] = map(json.loads, (out / "documents.jsonl").read_text().splitlines())
    assert about["file"] == "documents/00000007-To-Ada.md"
    assert about["path"] == "spring/To Ada!.md"
    adapter = out / "adapters" / f"{'ab' * 32}.safetensors"
    assert adapter.read_bytes() == bytes(range(256)) * 4
    assert json.loads(adapter.with_suffix(".json").read_text())["sha256"] == "ab" * 32
    assert json.loads((out / "nights.jsonl").read_text()) == {"id": 1, "state": "done"}
    modes = {stat.S_IMODE(p.stat().st_mode) & 0o077 for p in (out, *out.rglob("*"))}
    assert modes == {0}
    assert [p.name for p in out.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("there", ["file", "full", "link"])
def test_a_place_that_is_taken_is_left_alone(
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
    assert run("privacy", "export", str(out)).exit_code == 5
    assert not service.seeing.asked


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert write_export(exported(), tmp_path / "out")["documents"] == 1


@pytest.mark.parametrize("kept", range(len(exported())))
def test_an_export_that_is_cut_short_leaves_nothing(tmp_path: Path, kept: int) -> None:
    with pytest.raises(Exception, match=r"short|went away|end"):
        write_export(exported()[:kept], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "line",
    [
        {"piece": "AAAA"},
        {"of": "../events", "record": {}},
        {"begin": {"kind": "adapter", "sha256": "../../evil"}},
        {"begin": {"kind": "document", "document": "../7"}},
        {"begin": {"kind": "document"}},
    ],
)
def test_what_does_not_fit_together_is_refused_and_leaves_nothing(
    tmp_path: Path, line: Json
) -> None:
    with pytest.raises(Exception, match="does not fit together"):
        write_export([line, *exported()], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_are_missing_are_noticed(tmp_path: Path) -> None:
    lines = exported()
    del lines[1]
    with pytest.raises(Exception, match="does not fit together"):
        write_export(lines, tmp_path / "out")


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    def lines() -> Any:
        yield from exported()[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_export(lines(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/b/To Ada.md", "To-Ada.md"),
        ("../../etc/passwd", "passwd"),
        (".bashrc", ".bashrc"),
        ("..", ""),
        ("\x1b[31m\n.md", "31m.md"),
        ("Über Öl.txt", "Uber-Ol.txt"),
        ("日記.md", ".md"),
        ("x" * 300 + "." + "y" * 300, "x" * 60 + "." + "y" * 10),
        ("", ""),
    ],
)
def test_names_are_made_of_plain_letters(path: str, name: str) -> None:
    assert safe_name(path) == name
    assert os.sep not in name
