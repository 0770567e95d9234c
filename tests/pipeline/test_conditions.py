"""A night of a real service, and a machine of mocks on a real bus: what happens when the plug is
pulled in the middle of a step, and when the window is there."""

import pytest

from tests.pipeline import tiny
from tests.pipeline.living import Json, Nightloom, at_step, until, wait_for
from tests.private_bus import PrivateBus, private_bus

__all__ = ["private_bus"]  # a fixture

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

UPOWER = "org.freedesktop.UPower"
LONG_PASSES = 100
OF_THIS_MACHINE = {"presence", "inhibited", "temperature", "low_power", "memory", "disk", "gpu"}


@pytest.fixture
def wired(noted: Nightloom, private_bus: PrivateBus) -> Nightloom:
    """A home on that bus, with text for a long night."""
    noted.environ |= private_bus.environ
    noted.configure(tiny.configuration(passes=LONG_PASSES))
    return noted


def first_in_the_way(place: Nightloom) -> str | None:
    why: Json = place.admin.why()
    return None if why["first"] is None else str(why["first"])


def test_a_plug_that_is_pulled_in_mid_step_holds_the_night_and_loses_nothing(
    wired: Nightloom, private_bus: PrivateBus
) -> None:
    upower = private_bus.mock("upower", OnBattery=False)
    wired.start()
    night = wired.admin.run_night()
    wait_for(night, at_step(3))

    upower.update(UPOWER, {"OnBattery": ("b", True)})

    until(lambda: wired.admin.status()["state"] == "yielding")
    assert first_in_the_way(wired) == "power"
    refused = wired.run("night", "run", "--now")
    assert (refused.exit_code, "power" in refused.stderr) == (5, True)

    joined = wired.admin.run_night(on_battery=True)  # a person's word
    assert wait_for(joined, lambda line: bool(line.get("step", 0) > 3))["step"] == 4
    (entry,) = wired.admin.nights()
    assert entry["lost"]["power"] > 0
    assert [one["what"] for one in entry["timeline"]] == ["work", "power", "work"]


def test_a_night_begins_by_itself_when_all_holds(wired: Nightloom, private_bus: PrivateBus) -> None:
    private_bus.mock("upower", OnBattery=False)
    private_bus.mock("logind")  # nobody is logged in
    text = tiny.configuration(passes=LONG_PASSES)
    always = '[night]\nwindow = "00:00-00:00"\n'
    wired.configure(text.replace("[night]\n", always, 1), automatic=True)
    wired.start()

    why = wired.admin.why()
    holds = {one["name"]: one["holds"] for one in why["conditions"]}
    if not all(holds.values()):
        assert why["first"] in OF_THIS_MACHINE
        pytest.skip(f"a night may not work on this machine now: {why['first']}")
    until(lambda: wired.admin.status()["state"] != "waiting")
    assert wired.terminate() == 0
