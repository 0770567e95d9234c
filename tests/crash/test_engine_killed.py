"""The engine is killed; nightloom starts it again and goes on where it was."""

import openai
import pytest

from tests.pipeline import tiny
from tests.pipeline.living import Nightloom, at_step, entry_of, state_of, until, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def test_a_night_goes_on_when_the_engine_is_killed_as_it_trains_and_as_it_judges(
    noted: Nightloom,
) -> None:
    noted.configure(tiny.configuration(passes=4))
    noted.start()
    night = noted.admin.run_night()
    wait_for(night, at_step(3))
    noted.admin.stop_night()
    checkpoint = entry_of(night)
    assert checkpoint["state"] == "yielding"

    night = noted.admin.run_night()
    reached = wait_for(night, at_step(checkpoint["steps"] + 5))["step"]
    noted.kill_engine()
    steps, stages = [], []
    for line in night:
        steps += [line["step"]] if line.get("step") else []
        if state_of(line) == "judging" and "judging" not in stages:
            noted.kill_engine()  # once more
        stages.append(state_of(line))
        entry = line.get("night", {})

    assert "judging" in stages
    assert entry["id"] == checkpoint["id"]
    assert entry["state"] == "done"
    assert entry["steps"] == steps[-1] > reached
    resumed = steps.index(checkpoint["steps"] + 1)  # not from the beginning
    assert 1 not in steps
    assert steps[resumed:] == list(range(checkpoint["steps"] + 1, steps[-1] + 1))
    assert [each["id"] for each in noted.admin.nights()] == [checkpoint["id"]]
    assert noted.ask("Where is the keeper?")


def test_a_client_is_told_when_the_engine_is_killed_and_can_ask_again(noted: Nightloom) -> None:
    noted.start()
    with noted.client() as client:
        stream = client.completions.create(
            model="base", prompt="The bees", temperature=1.0, seed=1, stream=True
        )
        assert next(stream).choices
        noted.kill_engine()
        with pytest.raises(openai.APIError) as caught:
            list(stream)
    assert caught.value.code == "engine_unavailable"
    assert "starts it again" in caught.value.message
    assert until(noted.admin.status)["engine"] == "stopped"
    assert noted.ask("Where is the keeper?")
    assert noted.admin.status()["engine"] == "serving"
