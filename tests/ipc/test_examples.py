"""The examples in packaging/examples, run as they are, by the programs they are for."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ipc.bridging import Crossing, bridged
from tests.ipc.serving import House, house, saying

EXAMPLES = Path(__file__).parents[2] / "packaging" / "examples"
DEBIAN_MODULES = Path("/usr/share/nodejs")
QUESTION = "How was spring?"
PIECES = ("The damsons — ", "“flowered” ", "early 🌸.")
ANSWER = "".join(PIECES)


@dataclass(frozen=True)
class At:
    """A home with a service in it, and a bridge in front."""

    home: Path
    served: House
    crossing: Crossing

    def run(self, *words: object, folder: Path = EXAMPLES, **environ: str) -> str:
        """What a program prints, which must not complain."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            [str(word) for word in words], cwd=folder, capture_output=True, text=True, check=False,
            env={"PATH": path, "HOME": str(self.home), "NIGHTLOOM_HOME": str(self.home),
                 "LC_ALL": "C.UTF-8", **environ},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[At]:
    home = tmp_path_factory.mktemp("home")
    with (
        house(home / "run", answer=saying(*PIECES)) as served,
        bridged(served.api_path, home / "bridge.token") as crossing,
    ):
        yield At(home, served, crossing)


@pytest.fixture(autouse=True)
def asked_whole_and_in_pieces(at: At) -> Iterator[None]:
    """Each example asks its one question twice."""
    at.served.inference.requests.clear()
    yield
    requests = at.served.inference.requests
    for request in requests:
        assert request.messages is not None
        assert [(each.role, each.content) for each in request.messages] == [("user", QUESTION)]
        assert request.model == "personal"
    assert len(requests) in (0, 2)  # none where it was skipped


def program(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not here: apt-get install {package}")
    return found


def test_curl(at: At) -> None:
    program("curl", "curl")

    whole, *events = at.run("sh", "curl.sh").splitlines()

    assert json.loads(whole)["choices"][0]["message"]["content"] == ANSWER
    told = [json.loads(line.removeprefix("data: ")) for line in events if line.endswith("}")]
    pieces = [each["choices"][0]["delta"].get("content") for each in told if each["choices"]]
    assert "".join(filter(None, pieces)) == ANSWER
    assert told[-1]["usage"]["completion_tokens"] == len(PIECES)
    assert "data: [DONE]" in events


def test_openai_python(at: At) -> None:
    assert at.run(sys.executable, "openai_client.py").splitlines() == [
        "['base', 'personal']",
        ANSWER,
        ANSWER,
    ]
    assert [request.train_allowed for request in at.served.inference.requests] == [True, False]


def test_undici(at: At, tmp_path: Path) -> None:
    node = program("node", "nodejs")
    if not (DEBIAN_MODULES / "undici").exists():
        pytest.skip("Node's undici is not here: apt-get install node-undici")
    # As `npm install undici` would leave it: node_modules beside the program.
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "undici").symlink_to(DEBIAN_MODULES / "undici")
    shutil.copy(EXAMPLES / "undici.mjs", tmp_path)

    said = at.run(node, "undici.mjs", folder=tmp_path, NODE_PATH=str(DEBIAN_MODULES))

    assert said.splitlines() == [ANSWER, ANSWER]


def test_llm_through_the_bridge(at: At, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import llm

    models = (EXAMPLES / "extra-openai-models.yaml").read_text("utf-8")
    port = str(at.crossing.port)
    (tmp_path / "extra-openai-models.yaml").write_text(models.replace("8484", port))
    (tmp_path / "keys.json").write_text(json.dumps({"nightloom": at.crossing.token}))

    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))

    assert at.run("sh", "llm.sh", LLM_USER_PATH=str(tmp_path)) == f"{ANSWER}\n"
    assert llm.get_model("nightloom").prompt(QUESTION, stream=False).text() == ANSWER
    assert "8484" in models
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"damsons" not in path.read_bytes(), "it was told to keep nothing"
