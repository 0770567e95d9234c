"""Preview, test, audit and export of a whole nightloom, and that none of it leaks."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.living import Nightloom
from tests.pipeline.searching import files_with, needles

Json = dict[str, Any]

SECRET = "Im Keller liegt ein Glas mit siebzehn stillen Reihern"
ADDRESS = "heron@example.org"


@pytest.fixture
def seen(place: Nightloom) -> Nightloom:
    """A service with some notes, one of which holds the secret."""
    place.make_vault()
    for number in range(12):
        place.write(f"n{number}.md", f"Note {number} about the river, the hives and the orchard.\n")
    place.write("secret.md", f"{SECRET}.\nWrite to {ADDRESS} about it.\n")
    place.write(".hidden.md", "Not this one.")
    place.start()
    place.add_source()
    return place


def answer(place: Nightloom, *words: str, code: int = 0) -> Json:
    result = place.run("privacy", *words, "--json")
    assert result.exit_code == code, result.output
    told: Json = json.loads(result.stdout)
    return told


def check(told: Json, name: str) -> Json:
    found: Json = next(one for one in told["checks"] if one["name"] == name)
    return found


def said(place: Nightloom) -> str:
    return place.errors.read_text("utf-8", "replace") + place.said.read_text("utf-8", "replace")


@pytest.mark.timeout(180)
def test_what_tonight_would_train_on_is_shown_with_its_text(seen: Nightloom) -> None:
    listed = answer(seen, "preview")["documents"]
    [number] = [one["document"] for one in listed if one["path"] == "secret.md"]
    result = seen.run("privacy", "preview", "--document", str(number))
    assert f"{SECRET}.\nWrite to [email 1] about it.\n" in result.stdout
    assert ADDRESS not in result.stdout
    lines = seen.run("privacy", "preview", "--text", "--json").stdout.splitlines()
    assert [json.loads(line)["document"] for line in lines] == [one["document"] for one in listed]

    tried = answer(seen, "test", str(seen.notes / "secret.md"))
    assert (tried["collect"], tried["source"]) == (True, "notes")
    assert [one["kind"] for one in tried["redactions"]] == ["email"]
    assert answer(seen, "test", str(seen.notes / ".hidden.md"))["reason"] == "hidden"
    assert answer(seen, "test", str(seen.passphrase))["reason"] == "no_source"

    assert SECRET not in said(seen)
    assert ADDRESS not in said(seen)
    assert files_with(needles([SECRET, ADDRESS]), seen.home_folder, seen.temporary) == []


@pytest.mark.timeout(180)
def test_an_audit_holds_and_says_who_asked(seen: Nightloom) -> None:
    seen.admin.status()
    told = answer(seen, "audit")
    assert told["holds"], told["checks"]
    assert check(told, "nothing in clear")["value"].startswith("looked for")
    [collected] = told["collected"]
    assert (collected["source"], collected["documents"]) == ("notes", 13)
    [asked] = [one for one in told["asked"] if one["socket"] == "admin"]
    assert asked["pids"] == [os.getpid()]
    assert asked["uid"] == os.geteuid()
    assert asked["what"]["GET /status"] == 1
    assert SECRET not in json.dumps(told)
    assert "secret.md" not in json.dumps(told)
    assert SECRET not in said(seen)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_an_audit_finds_text_in_clear_and_open_files(seen: Nightloom, encoding: str) -> None:
    (seen.home_folder / "leak").touch(mode=0o640)
    text = (seen.notes / "n3.md").read_text() + f"{SECRET}.\n"
    (seen.home_folder / "leak").write_text(text, encoding)
    (seen.home_folder / "leak").chmod(0o640)
    told = answer(seen, "audit", code=1)
    assert {one["name"] for one in told["checks"] if one["holds"] is False} == {
        "nothing in clear",
        "permissions",
    }
    for name in ("nothing in clear", "permissions"):
        assert "leak" in check(told, name)["value"]
    quick = answer(seen, "audit", "--quick", code=1)
    assert "nothing in clear" not in {one["name"] for one in quick["checks"]}


@pytest.mark.timeout(180)
def test_an_audit_finds_a_row_that_was_taken_out(seen: Nightloom) -> None:
    seen.terminate()
    database = seen.home.vault / "vault.db"
    import sqlite3

    with sqlite3.connect(database) as tampering:
        tampering.execute("DELETE FROM events WHERE id = (SELECT min(id) FROM events)")
    tampering.close()
    seen.start()
    told = answer(seen, "audit", code=1)
    assert check(told, "events")["holds"] is False
    assert "events" in check(told, "seals")["value"]


@pytest.mark.timeout(180)
def test_what_was_forgotten_is_checked_and_would_not_be_collected_again(seen: Nightloom) -> None:
    listed = answer(seen, "preview")["documents"]
    [number] = [one["document"] for one in listed if one["path"] == "secret.md"]
    forgotten = seen.run("privacy", "forget", "--document", str(number), "--yes")
    assert forgotten.exit_code == 0, forgotten.output

    tried = answer(seen, "test", str(seen.notes / "secret.md"))
    assert (tried["collect"], tried["reason"], tried["forgotten"]) == (False, "forgotten", True)
    told = answer(seen, "audit")
    assert check(told, "forgotten")["value"].startswith("once")
    assert [one["kind"] for one in told["forgotten"]] == ["forgotten"]
    assert "secret.md" not in {one["path"] for one in answer(seen, "preview")["documents"]}


@pytest.mark.timeout(180)
def test_an_export_holds_everything_and_asks_for_the_passphrase(seen: Nightloom) -> None:
    out = seen.root / "out"
    wrong = seen.root / "wrong"
    wrong.touch(mode=0o600)
    wrong.write_text("another passphrase")
    refused = seen.run("privacy", "export", str(out), "--passphrase-file", str(wrong))
    assert refused.exit_code == 3
    assert not out.exists()

    told = answer(seen, "export", str(out), "--passphrase-file", str(seen.passphrase))
    assert (told["documents"], told["left_out"]) == (13, 0)
    [about] = [
        one
        for one in map(json.loads, (out / "documents.jsonl").read_text("utf-8").splitlines())
        if one["path"] == "secret.md"
    ]
    assert (out / about["file"]).read_text("utf-8") == f"{SECRET}.\nWrite to [email 1] about it.\n"
    assert (about["source"], about["state"], about["redactions"]) == ("notes", "new", {"email": 1})
    kinds = [json.loads(line)["kind"] for line in (out / "events.jsonl").read_text().splitlines()]
    assert {"collected", "exported"} <= set(kinds)
    assert [p.name for p in seen.root.iterdir() if p.name.startswith(".")] == []
    assert SECRET not in said(seen)
    [one] = answer(seen, "audit", "--quick")["exported"]
    assert (one["kind"], one["documents"], one["folder"]) == ("exported", 13, str(out))


@pytest.mark.timeout(180)
def test_who_asked_is_written_when_the_service_ends(seen: Nightloom) -> None:
    seen.admin.status()
    assert seen.terminate() == 0
    with seen.open_vault() as vault:
        events = vault.ledger.events()
        [asked] = [one for one in events if one["kind"] == "asked"]
    whats = {line["what"] for line in asked["facts"]["requests"]}
    assert {"GET /status", "POST /sources", "POST /rescan"} <= whats


@pytest.mark.timeout(300)
def test_a_night_and_its_answers_are_in_the_audit(learned: Nightloom) -> None:
    learned.start()
    learned.ask("How are the bees?")
    told = answer(learned, "audit", "--quick")
    assert [one["state"] for one in told["nights"]][-1] == "done"
    [published] = told["published"]
    assert published["night"] == told["nights"][-1]["night"]
    [served] = [one for one in told["served"] if one["model"].startswith("personal@")]
    assert served["model"] == f"personal@{published['adapter']}"
    assert served["tokens"] > 0
    out: Path = learned.root / "out"
    exported = answer(learned, "export", str(out), "--passphrase-file", str(learned.passphrase))
    assert exported["adapters"] == 1
    [weights] = (out / "adapters").glob("*.safetensors")
    assert weights.stem.startswith(published["adapter"])
    one: Path = learned.root / "one"
    done = learned.run(
        "adapters", "export", weights.stem[:6], str(one), "--passphrase-file",
        str(learned.passphrase),
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert (one / "adapter_model.safetensors").read_bytes() == weights.read_bytes()
    told = answer(learned, "audit", "--quick")["exported"]
    assert [event["adapters"] for event in told] == [[published["adapter"]]] * 2
    shown = json.loads(learned.run("adapters", "show", "personal", "--json").stdout)
    assert [each["folder"] for each in shown["exports"]] == [str(out), str(one)]
    assert shown["night"]["tokens"] > 0
    assert str(one) not in said(learned)
    leaks = files_with(needles([str(one)]), learned.home_folder, learned.temporary)
    assert leaks == []
