"""What a Mac prints of input and of what keeps its screen on."""

import pytest

from daemon.conditions import presence_mac
from daemon.conditions.presence_mac import MacPresence, idle_seconds_in, screen_is_kept_on
from tests.daemon.conditions.seeing import MINUTE, SetClock

IOREG = """\
+-o IOHIDSystem  <class IOHIDSystem, id 0x100000275, registered, matched, active, busy 0>
    {
      "HIDIdleTime" = 1020403958000
    }

"""
ASSERTIONS = """\
2026-09-16 20:05:10 -0400
Assertion status system-wide:
   BackgroundTask                 1
   ApplePushServiceTask           0
   UserIsActive                   1
   PreventUserIdleDisplaySleep    {display}
   PreventSystemSleep             0
   PreventUserIdleSystemSleep     1
   NetworkClientActive            0
Listed by owning process:
   pid 501(Player): [0x0001] 00:12:01 PreventUserIdleDisplaySleep named: "Playing The Film"
   pid 107(powerd): [0x0002] 00:00:03 PreventUserIdleSystemSleep named: "Powerd"
"""


@pytest.mark.parametrize(
    ("printed", "seconds"),
    [
        (IOREG, 1020.403958),
        (IOREG.replace(" = ", "="), 1020.403958),
        ('"HIDIdleTime" = 5000000000\n"HIDIdleTime" = 1000000000', 1.0),
        ("", None),
    ],
)
def test_input_is_read_from_ioreg(printed: str, seconds: float | None) -> None:
    assert idle_seconds_in(printed) == (None if seconds is None else pytest.approx(seconds))


def test_what_keeps_the_screen_on_is_read_from_pmset() -> None:
    assert screen_is_kept_on(ASSERTIONS.format(display=1)) is True
    assert screen_is_kept_on(ASSERTIONS.format(display=0)) is False
    assert screen_is_kept_on("") is None


@pytest.mark.parametrize(
    ("ioreg", "display", "presence", "inhibited"),
    [(IOREG, 0, True, True), (IOREG, 1, True, False), (IOREG.replace("1020", "3"), 0, False, True),
     (None, None, None, None)],
)  # fmt: skip
async def test_both_conditions_are_told(
    ioreg: str | None, display: int | None, presence: bool | None, inhibited: bool | None
) -> None:
    async def ask(command: tuple[str, ...]) -> str | None:
        if command == presence_mac.IOREG:
            return ioreg
        return None if display is None else ASSERTIONS.format(display=display)

    mac = MacPresence(idle_seconds=15 * MINUTE, clock=SetClock(), ask=ask)
    told = await mac.look()
    assert [(one.name, one.holds) for one in told] == [
        ("presence", presence),
        ("inhibited", inhibited),
    ]
    assert "Film" not in str(told)
