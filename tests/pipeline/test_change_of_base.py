"""Another base in the configuration: the old base's adapter rests, and a night makes a new one."""

from pathlib import Path

import openai
import pytest

from tests.pipeline import tiny
from tests.pipeline.living import TINY, Nightloom, entry_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

OTHER = "other"
QUESTION = "Where is the keeper?"


@pytest.fixture(scope="module")
def other_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_tiny_base(tmp_path_factory.mktemp("other"), steps=tiny.SCHOOL_STEPS + 10)


def who_answers(place: Nightloom, model: str = "personal") -> str:
    """The version that answered, as its client is told."""
    with place.client() as client:
        return client.completions.create(
            model=model, prompt=QUESTION, max_tokens=1, temperature=0.0
        ).model


def use_base(place: Nightloom, name: str) -> None:
    """As somebody would: edit the configuration and start again."""
    assert place.terminate() == 0
    place.configure(tiny.configuration(base=name))
    place.start()


def test_an_adapter_rests_while_another_base_is_in_use(
    learned: Nightloom, other_base: Path
) -> None:
    learned.add_base(other_base, OTHER)
    learned.start()
    old = str(learned.admin.status()["adapter"])
    assert who_answers(learned) == f"personal@{old}"

    use_base(learned, OTHER)

    assert who_answers(learned) == "base"
    status = learned.admin.status()
    assert (status["adapter"], status["adapter_of_another_base"]) == (None, old)
    assert f"{old} belongs to another base" in learned.run("status").output
    assert "of another base" in learned.run("adapters", "list").output
    with learned.client() as client:
        assert [model.id for model in client.models.list()] == ["personal", "base"]
    with pytest.raises(openai.NotFoundError, match="another base"):
        who_answers(learned, f"personal@{old}")
    refused = learned.run("adapters", "use", old)
    assert refused.exit_code == 1
    assert "belongs to another base" in refused.output
    assert learned.run("adapters", "rollback").exit_code == 1

    tiny.write_notes(learned, first=700)
    learned.add_source(name="more")
    night = entry_of(learned.admin.run_night())
    assert night["state"] == "done", night["sentence"]

    assert who_answers(learned) == f"personal@{night['adapter']}"
    kept = {each["sha256"][:12]: each for each in learned.admin.adapters()}
    assert kept[night["adapter"]]["parent"] is None
    assert {name: one["of_base_in_use"] for name, one in kept.items()} == {
        old: False, night["adapter"]: True,
    }  # fmt: skip

    use_base(learned, TINY)
    assert who_answers(learned) == "base"
    assert learned.run("adapters", "use", old).exit_code == 0
    assert who_answers(learned) == f"personal@{old}"
    assert learned.admin.status()["adapter_of_another_base"] is None
