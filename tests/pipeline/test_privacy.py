"""No text lies in clear: planted sentences are looked for while a night runs and after it."""

import os
from pathlib import Path

import pytest

from tests.pipeline import story as stories
from tests.pipeline.searching import files_with, needles, process_files_with
from tests.pipeline.story import IN_NAMES, IN_NOTES, Story

PLANTED = "под мостом спит Möwe"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_the_search_finds_what_lies_in_clear(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "leak").write_bytes(b"\0\xff " + PLANTED.encode(encoding) + b" \0")
    (tmp_path / "empty").touch()
    assert files_with(needles([PLANTED]), tmp_path) == [str(tmp_path / "deep" / "leak")]
    assert files_with(needles(["another sentence"]), tmp_path) == []


def test_the_search_finds_what_json_and_other_programs_make_of_it(tmp_path: Path) -> None:
    (tmp_path / "escaped").write_text(r"{\"a\": \"\u043f\u043e\u0434 \u043c\u043e\u0441\u0442\u043e"
                                      r"\u043c \u0441\u043f\u0438\u0442 M\u00f6we\"}")  # fmt: skip
    (tmp_path / "decomposed").write_text("под мостом спит Mo\u0308we", "utf-8")
    found = files_with(needles([PLANTED]), tmp_path)
    assert sorted(Path(file).name for file in found) == ["decomposed", "escaped"]


def test_the_search_finds_what_a_process_was_started_with(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Path("/proc/self/cmdline").read_bytes().split(b"\0")[0].decode()
    assert process_files_with(needles([own]), [os.getpid()]) != []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_nothing_of_a_night_lies_in_clear_while_it_runs_or_after(story: Story) -> None:
    learned = {document["path"] for document in story.preview["documents"]}
    assert sum(any(name in path for name in IN_NAMES) for path in learned) == 2 * len(IN_NOTES)
    assert len(story.lookout.looks) > 2 * len(story.lines)
    assert story.lookout.found == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_look_at_the_home_would_have_found_it(story: Story) -> None:
    leak = story.place.temporary / "leak"
    leak.write_text(f"... {IN_NOTES[1]} ...", "utf-16-le")
    try:
        assert stories.look(story.place, "now") == [f"now: {leak}"]
    finally:
        leak.unlink()
    assert stories.look(story.place, "later") == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_is_kept_is_for_its_owner_alone(story: Story) -> None:
    kept = [story.place.home.vault, *story.place.home.vault.rglob("*")]
    kept += [story.place.home.api_socket, story.place.home.admin_socket]
    assert [str(path) for path in kept if path.stat().st_mode & 0o077] == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_engine_has_no_network_and_no_secrets_of_the_service(story: Story) -> None:
    assert story.network_denied is True
    engine = story.place.engine_pid()
    assert engine is not None
    wanted = needles([str(story.place.home_folder), str(story.place.passphrase)])
    assert process_files_with(wanted, [engine]) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_file_is_left_in_the_temporary_folder(story: Story) -> None:
    left = [path for path in story.place.temporary.rglob("*") if not path.is_dir()]
    assert left == []  # a library makes an empty folder there
