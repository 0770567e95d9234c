"""A service that has nothing to do is small, and has no trace of the model in its memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.living import Nightloom, at_rest, cpu_seconds, new_home, until
from tests.pipeline.story import CONFIGURATION, write_notes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

MOST_BYTES = 90 << 20
HEAVY = ("libtorch", "bitsandbytes", "tokenizers", "safetensors")


@pytest.fixture(scope="module")
def idle() -> Iterator[Nightloom]:
    """A service that has collected a folder, been asked everything cheap, and come to rest."""
    with new_home() as place:
        place.configure(CONFIGURATION)
        write_notes(place)
        assert place.run("init", "--passphrase-file", str(place.passphrase)).exit_code == 0
        place.start()
        place.add_source()
        for words in (("status",), ("why",), ("adapters", "list"), ("privacy", "preview")):
            assert place.run(*words).exit_code == 0
        with place.client() as client:
            assert [model.id for model in client.models.list()] == ["personal", "base"]
        until(at_rest(place.pid))
        yield place


def test_an_idle_service_is_small_and_starts_no_engine(idle: Nightloom) -> None:
    status = Path(f"/proc/{idle.pid}/status").read_text()
    (resident,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    assert int(resident) * 1024 <= MOST_BYTES
    assert idle.engine_pid() is None
    assert idle.admin.status()["engine"] == "stopped"
    assert idle.admin.status()["resident_bytes"] <= MOST_BYTES


def test_an_idle_service_has_no_model_in_its_memory(idle: Nightloom) -> None:
    try:
        maps = Path(f"/proc/{idle.pid}/maps").read_text()
    except PermissionError:
        pytest.skip("the service denies tracing, and only root may look all the same")
    assert "libpython" in maps or "python" in maps
    assert [name for name in HEAVY if name in maps] == []


def test_an_idle_service_leaves_the_processor_alone(idle: Nightloom) -> None:
    before = cpu_seconds(idle.pid)
    until(at_rest(idle.pid))
    assert cpu_seconds(idle.pid) - before < 0.05
