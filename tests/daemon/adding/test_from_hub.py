"""A base from the hub, with the real client and a hub on this machine."""

import json
import signal
import stat
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.daemon.adding.conftest import (
    ID,
    NAME,
    Add,
    command,
    environment_of,
    run_add,
    sentence,
)
from tests.daemon.adding.hub_server import (
    COMMIT,
    Asked,
    FakeHub,
    Repository,
    Trouble,
    running_hub,
)
from tests.pipeline.living import until
from trainer.base_format import read_facts
from trainer.base_identity import verify
from trainer.base_model import load_base
from trainer.quantising import quantise_folder

MEBIBYTE = 1 << 20
FIRST = "model-00001-of-00003.safetensors"
SECOND = "model-00002-of-00003.safetensors"
THIRD = "model-00003-of-00003.safetensors"
NOT_WANTED = {
    "README.md": b"# Bees", "pytorch_model.bin": b"x", "modeling_evil.py": b"x",
    "onnx/model.safetensors": b"x", "consolidated.safetensors": b"x", "model.gguf": b"x",
}  # fmt: skip


def names_in(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One base that was added without trouble, and what was seen meanwhile."""

    place: Path  # of the base
    answer: dict[str, Any]
    said: str
    asked: list[Asked]
    names: list[str]  # of the files that were asked for
    sources: list[list[str]]  # what lay there when each shard was asked for
    modes: set[int]  # of the folders for what is on its way


@pytest.fixture(scope="module")
def story(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    room = tmp_path_factory.mktemp("story")
    adding = room / "home" / "bases" / ".adding"
    sources: list[list[str]] = []
    modes: set[int] = set()

    def look(_: str) -> None:
        lying = (one.name for one in (adding / NAME / "source").iterdir())
        sources.append(sorted(name for name in lying if name.startswith("model-")))
        modes.update(stat.S_IMODE(one.stat().st_mode) for one in (adding, adding / NAME))

    with running_hub() as hub:
        hub.repositories[ID] = Repository.of(source)
        hub.repositories[ID].files |= NOT_WANTED
        hub.before = look
        environment = environment_of(room / "home", hub, room / "user")
        done = run_add(environment, ID, "--accept-licence", "Apache-2.0", "--json")
    assert done.returncode == 0, done.stderr
    return Story(
        place=room / "home" / "bases" / NAME,
        answer=json.loads(done.stdout),
        said=done.stderr,
        asked=hub.asked,
        names=hub.names_asked(),
        sources=sources,
        modes=modes,
    )


def test_it_is_the_base_that_the_same_folder_gives(
    story: Story, source: Path, tmp_path: Path
) -> None:
    local = quantise_folder(
        source, tmp_path / "local", name="x", licence="x", description="x", origin="x"
    )

    assert story.answer["identity"] == local.identity
    verify(story.place)
    ids = torch.arange(40).view(2, 20)
    with torch.no_grad():
        ours, theirs = (
            load_base(one).model(ids).logits for one in (story.place, tmp_path / "local")
        )
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_it_records_where_the_base_comes_from(story: Story) -> None:
    facts = read_facts(story.place)

    assert facts.origin == f"hub:{ID}@{COMMIT}" == story.answer["origin"]
    assert facts.licence == "apache-2.0" == story.answer["licence"]
    assert (story.answer["name"], story.answer["warnings"]) == (NAME, [])
    assert (story.place / "LICENSE").read_text("utf-8").strip().startswith("The Beekeepers")


def test_nothing_is_left_beside_the_base(story: Story) -> None:
    assert names_in(story.place.parent) == [NAME]
    assert names_in(story.place) == sorted(
        [*read_facts(story.place).files, "model.safetensors", "nightloom.json"]
    )
    assert not (story.place.parents[2] / "user").exists()  # no cache of a library


def test_only_what_is_needed_is_asked_for_and_the_commit_is_pinned(story: Story) -> None:
    assert story.names == [
        "config.json", "LICENSE", "tokenizer.json", "tokenizer_config.json",
        "generation_config.json", "chat_template.jinja", "model.safetensors.index.json",
        FIRST, SECOND, THIRD,
    ]  # fmt: skip
    assert story.asked[0].path == f"/api/models/{ID}/revision/main"
    others = [asked.path for asked in story.asked[1:] if f"/resolve/{COMMIT}/" not in asked.path]
    assert all(path.startswith("/storage/") for path in others)


def test_the_disk_holds_one_shard_at_a_time(story: Story) -> None:
    assert story.sources == [[f"{shard}.part"] for shard in (FIRST, SECOND, THIRD)]


def test_what_is_on_its_way_is_the_user_s_alone(story: Story) -> None:
    assert story.modes == {0o700}


def test_the_figures_of_the_disk_come_before_the_download(story: Story, source: Path) -> None:
    figures = next(line for line in story.said.splitlines() if line.startswith("It takes"))

    sizes = [(source / shard).stat().st_size / 1e6 for shard in (FIRST, SECOND, THIRD)]
    base = (story.place / "model.safetensors").stat().st_size / 1e6
    assert figures.startswith(
        f"It takes {sum(sizes):.0f} MB to download and {max(sizes):.0f} MB of disk for one file of "
        f"it, and {base:.0f} MB of disk for the 4-bit base; "
    )
    assert story.said.index(figures) < story.said.index(f"downloading {FIRST}")


def test_a_connection_that_breaks_is_taken_up_in_the_middle(
    add: Add, hub: FakeHub, home: Path
) -> None:
    hub.trouble[FIRST] = Trouble(cut_after=MEBIBYTE * 3 // 2)

    done = add(ID, "--yes")

    assert done.returncode == 0, done.stderr
    assert hub.ranges(FIRST) == [None, f"bytes={MEBIBYTE}-"]
    verify(home / "bases" / NAME)


def test_a_download_that_was_cut_off_goes_on_when_the_command_is_run_again(
    add: Add, hub: FakeHub, home: Path
) -> None:
    hub.trouble[SECOND] = Trouble(cut_after=MEBIBYTE * 3 // 2, then_status=503)
    first = add(ID, "--yes")
    assert (first.returncode, "HTTP 503" in sentence(first)) == (1, True)
    assert names_in(home / "bases") == [".adding"]
    hub.trouble.clear()
    hub.asked.clear()
    hub.repositories[ID].branches["main"] = "d" * 40  # it moves on; what was begun stays pinned
    hub.repositories[ID].branches["old"] = COMMIT

    second = add(ID)  # the licence was accepted

    assert second.returncode == 0, second.stderr
    assert f"Going on with what was begun, at commit {COMMIT[:12]}" in second.stderr
    assert hub.names_asked() == [SECOND, THIRD]
    assert hub.ranges(SECOND) == [f"bytes={MEBIBYTE}-"]
    assert read_facts(home / "bases" / NAME).origin == f"hub:{ID}@{COMMIT}"
    verify(home / "bases" / NAME)


def test_ctrl_c_keeps_what_came_and_leaves_no_half_base(
    add: Add, hub: FakeHub, home: Path, environment: dict[str, str]
) -> None:
    held = threading.Event()
    hub.trouble[FIRST] = Trouble(cut_after=MEBIBYTE * 3 // 2, held=held)
    part = home / "bases" / ".adding" / NAME / "source" / f"{FIRST}.part"
    process = subprocess.Popen(
        command("add", ID, "--yes"), env=environment, stderr=subprocess.PIPE, text=True
    )
    until(lambda: part.exists() and part.stat().st_size == MEBIBYTE)

    process.send_signal(signal.SIGINT)
    said = process.communicate()[1]
    held.set()

    assert process.returncode == 130
    assert f"`nightloom base remove {NAME}` drops it" in said
    assert names_in(home / "bases") == [".adding"]
    hub.trouble.clear()
    assert add(ID, "--yes").returncode == 0
    assert hub.ranges(FIRST) == [None, f"bytes={MEBIBYTE}-"]
    verify(home / "bases" / NAME)


def test_a_corrupted_download_is_thrown_away_and_fetched_again(
    add: Add, hub: FakeHub, home: Path
) -> None:
    content = bytearray(hub.repositories[ID].files[SECOND])
    content[-1] ^= 1
    hub.trouble[SECOND] = Trouble(served=bytes(content))

    done = add(ID, "--yes")

    assert done.returncode == 1
    assert f"downloaded as {SECOND} has not the digest" in sentence(done)
    assert not list((home / "bases" / ".adding" / NAME / "source").glob(f"{SECOND}*"))
    hub.trouble.clear()
    assert add(ID, "--yes").returncode == 0
    assert hub.ranges(SECOND) == [None, None]


def test_a_small_file_with_other_bytes_is_found_too(add: Add, hub: FakeHub) -> None:
    served = hub.repositories[ID].files["tokenizer.json"].replace(b"bee", b"bug")
    hub.trouble["tokenizer.json"] = Trouble(served=served)

    assert "downloaded as tokenizer.json has not the digest" in sentence(add(ID, "--yes"))


def test_pickles_are_refused_by_name_before_anything_is_downloaded(
    add: Add, hub: FakeHub, home: Path
) -> None:
    files = hub.repositories[ID].files
    kept = {name: files[name] for name in files if not name.startswith("model")}
    hub.repositories[ID] = Repository(files=kept | {"pytorch_model.bin": b"cos\nsystem"})

    done = add(ID, "--yes")

    assert done.returncode == 5
    assert "can run code (pytorch_model.bin)" in sentence(done)
    assert [asked.path for asked in hub.asked] == [f"/api/models/{ID}/revision/main"]
    assert names_in(home / "bases") == []


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"model_type": "mamba"}, 1, "kind mamba are not supported"),
        ({"auto_map": {"AutoModel": "evil.Evil"}}, 5, "asks to run code of its own"),
        ({"quantization_config": {"quant_method": "gptq"}}, 1, "quantised already (method gptq)"),
        ({"hidden_size": "wide"}, 1, "hidden_size is missing or out of range"),
    ],
)
def test_a_model_that_we_do_not_load_is_refused_after_its_config_alone(
    add: Add, hub: FakeHub, home: Path, change: dict[str, object], code: int, said: str
) -> None:
    config = json.loads(hub.repositories[ID].files["config.json"]) | change
    hub.repositories[ID].files["config.json"] = json.dumps(config).encode()

    done = add(ID, "--yes")

    assert (done.returncode, said in sentence(done)) == (code, True)
    assert hub.names_asked() == ["config.json", "LICENSE"]
    assert names_in(home / "bases") == []


def test_a_shard_that_the_repository_does_not_have_is_named_before_the_others_come(
    add: Add, hub: FakeHub, home: Path
) -> None:
    del hub.repositories[ID].files[SECOND]

    done = add(ID, "--yes")

    assert (done.returncode, f"has no {SECOND}" in sentence(done)) == (1, True)
    assert not any(name.endswith(".safetensors") for name in hub.names_asked())
    assert names_in(home / "bases") == []


def test_weights_that_do_not_fit_the_config_end_it_for_good(
    add: Add, hub: FakeHub, home: Path
) -> None:
    config = json.loads(hub.repositories[ID].files["config.json"]) | {"intermediate_size": 1984}
    hub.repositories[ID].files["config.json"] = json.dumps(config).encode()

    done = add(ID, "--yes")

    assert (done.returncode, "is not what config.json says" in sentence(done)) == (1, True)
    assert names_in(home / "bases") == []


def test_a_missing_chat_template_is_a_warning(add: Add, hub: FakeHub, home: Path) -> None:
    files = hub.repositories[ID].files
    files.pop("chat_template.jinja", None)
    settings = json.loads(files["tokenizer_config.json"])
    settings.pop("chat_template", None)
    files["tokenizer_config.json"] = json.dumps(settings).encode()

    done = add(ID, "--yes", "--json")

    assert done.returncode == 0
    (warning,) = json.loads(done.stdout)["warnings"]
    assert "no chat template" in warning
    assert warning in done.stderr
    assert load_base(home / "bases" / NAME).tokenizer.plain_template


# --------------------------------------------------------------------------- licence


def test_without_a_word_on_the_licence_nothing_is_downloaded(
    add: Add, hub: FakeHub, home: Path
) -> None:
    done = add(ID)

    assert done.returncode == 5
    assert "The model's licence is apache-2.0, whose text begins 'The Beekeepers' Licence'" in (
        done.stderr
    )
    assert "--accept-licence apache-2.0" in sentence(done)
    assert hub.names_asked() == ["config.json", "LICENSE"]
    assert names_in(home / "bases") == []


def test_another_licence_than_the_accepted_one_is_refused(add: Add, hub: FakeHub) -> None:
    hub.repositories[ID].card = {"license": "other", "license_name": "bees-only"}

    done = add(ID, "--accept-licence", "apache-2.0")

    assert (done.returncode, "licence is bees-only and not" in sentence(done)) == (5, True)


def test_a_model_without_a_licence_says_so_and_has_to_be_accepted_too(
    add: Add, hub: FakeHub, home: Path
) -> None:
    hub.repositories[ID].card = {}
    del hub.repositories[ID].files["LICENSE"]

    assert add(ID).returncode == 5
    done = add(ID, "--accept-licence", "none")

    assert done.returncode == 0, done.stderr
    assert "states no licence" in done.stderr
    assert read_facts(home / "bases" / NAME).licence == "not stated"


# --------------------------------------------------------------------------- the network


def test_it_says_whom_it_asks_before_it_asks(add: Add, hub: FakeHub) -> None:
    done = add("Nobody/Nothing", "--yes")

    first, last = done.stderr.splitlines()
    assert "asks 127.0.0.1 for Nobody/Nothing over the network; nothing of your" in first
    assert "knows no model Nobody/Nothing" in last
    assert done.returncode == 1


def test_a_token_is_sent_only_if_it_is_set_and_only_to_the_hub(
    add: Add, hub: FakeHub, environment: dict[str, str]
) -> None:
    saved = Path(environment["HOME"]) / ".cache" / "huggingface" / "token"
    saved.parent.mkdir(parents=True)
    saved.write_text("hf_saved_by_another_program")
    assert add(ID).returncode == 5  # its licence was not accepted
    assert {asked.authorization for asked in hub.asked} == {None}
    hub.asked.clear()
    hub.trouble[SECOND] = Trouble(status=503)

    done = add(ID, "--yes", HF_TOKEN="hf_secret")

    assert hub.ranges(FIRST) == [None]
    assert "with your HF_TOKEN" in done.stderr
    assert "hf_secret" not in done.stderr + done.stdout
    sent = {(asked.host, asked.authorization) for asked in hub.asked}
    assert sent == {("127.0.0.1", "Bearer hf_secret"), ("localhost", None)}


def test_a_gated_model_says_what_to_do(add: Add, hub: FakeHub) -> None:
    hub.repositories[ID].gated = True

    done = add(ID, "--yes")

    assert (done.returncode, "accept them there, set HF_TOKEN" in sentence(done)) == (1, True)


def test_an_unknown_revision_is_named(add: Add, hub: FakeHub) -> None:
    assert f"{ID} has no revision v9" in sentence(add(ID, "--yes", "--revision", "v9"))


def test_a_revision_is_followed(add: Add, hub: FakeHub, home: Path) -> None:
    hub.repositories[ID].branches["refs/pr/7"] = "a" * 40

    assert add(ID, "--yes", "--revision", "refs/pr/7").returncode == 0

    assert read_facts(home / "bases" / NAME).origin == f"hub:{ID}@{'a' * 40}"


def test_a_hub_that_cannot_be_reached_is_one_sentence(add: Add, home: Path) -> None:
    done = add(ID, "--yes", HF_ENDPOINT="http://127.0.0.1:9")  # nobody serves discard

    assert (done.returncode, "127.0.0.1 cannot be reached" in sentence(done)) == (1, True)
    assert names_in(home / "bases") == []


def test_an_address_that_is_none_is_a_mistake_of_usage(add: Add) -> None:
    done = add(ID, "--yes", HF_ENDPOINT="hub.example")

    assert (done.returncode, "HF_ENDPOINT" in sentence(done)) == (2, True)


def test_who_forbids_the_network_is_obeyed(add: Add, hub: FakeHub) -> None:
    done = add(ID, "--yes", HF_HUB_OFFLINE="1")

    assert (done.returncode, "HF_HUB_OFFLINE" in sentence(done)) == (1, True)
    assert hub.asked == []


def test_a_hub_without_digests_is_not_trusted(add: Add, hub: FakeHub) -> None:
    hub.repositories[ID].digests = False

    assert "no digest for config.json" in sentence(add(ID, "--yes"))
    assert hub.names_asked() == []


def test_something_else_that_answers_is_one_sentence(add: Add, hub: FakeHub) -> None:
    hub.trouble["config.json"] = Trouble(status=500)

    done = add(ID, "--yes")

    assert (done.returncode, "HTTP 500" in sentence(done)) == (1, True)


# --------------------------------------------------------------------------- names


def test_a_name_that_is_taken_is_refused_before_anybody_is_asked(
    add: Add, hub: FakeHub, home: Path
) -> None:
    (home / "bases" / "Mine").mkdir(parents=True)

    done = add(ID, "--yes", "--name", "mine")

    assert (done.returncode, "a base named Mine already" in sentence(done)) == (5, True)
    assert hub.asked == []


def test_something_else_under_the_same_name_is_not_mixed_with_what_was_begun(
    add: Add, hub: FakeHub
) -> None:
    hub.trouble[SECOND] = Trouble(status=503)
    assert add(ID, "--yes").returncode == 1

    done = add(ID, "--yes", "--revision", "b" * 40)

    assert (done.returncode, "Something else was begun" in sentence(done)) == (5, True)
