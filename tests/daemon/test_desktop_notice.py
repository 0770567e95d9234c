"""A notification after a night: fixed sentences and numbers."""

import sys
from pathlib import Path

import pytest

from daemon.conditions.bus import Bus
from daemon.desktop_notice import DesktopNotices, Ended, MacNotices, notice_of
from tests.daemon.conditions.seeing import connected
from tests.private_bus import PrivateBus, private_bus

__all__ = ["private_bus"]  # a fixture


@pytest.mark.parametrize(
    ("ended", "title"),
    [
        (Ended.PUBLISHED, "nightloom has learned"),
        (Ended.REFUSED, "nightloom kept what it had"),
        (Ended.STOPPED, "nightloom has stopped its nights"),
    ],
)
def test_each_end_has_its_sentence(ended: Ended, title: str) -> None:
    notice = notice_of(ended, tokens=12_345, failures=3)
    assert notice.title == title
    assert ("12,345" in notice.body) is (ended is Ended.PUBLISHED)
    assert "nightloom " in notice.body  # a command to go on with


async def test_the_desktop_shows_it_and_a_newer_one_in_its_place(private_bus: PrivateBus) -> None:
    desktop = private_bus.mock("notification_daemon")
    async with connected(private_bus.address) as bus:
        notices = DesktopNotices(bus)
        assert await notices.show(notice_of(Ended.PUBLISHED, tokens=5))
        assert await notices.show(notice_of(Ended.REFUSED))
    first, second = desktop.calls("Notify")
    assert first[:2] == ["nightloom", 0]
    assert first[3:5] == ["nightloom has learned", notice_of(Ended.PUBLISHED, tokens=5).body]
    assert second[:2] == ["nightloom", 1]


async def test_without_a_desktop_nothing_is_shown_and_nothing_breaks(
    private_bus: PrivateBus,
) -> None:
    notice = notice_of(Ended.REFUSED)
    assert not await DesktopNotices(Bus("")).show(notice)
    async with connected(private_bus.address) as bus:
        assert not await DesktopNotices(bus).show(notice)
        private_bus.mock_of(
            "org.freedesktop.Notifications", "/org/freedesktop/Notifications", "x.Y"
        )
        assert not await DesktopNotices(bus).show(notice)  # it knows no such method


async def test_on_a_mac_the_text_is_an_argument_and_no_program(tmp_path: Path) -> None:
    written = tmp_path / "arguments"
    program = tmp_path / "osascript.py"
    program.write_text(f"import sys; open({str(written)!r}, 'w').write('\\n'.join(sys.argv[1:]))")
    notice = notice_of(Ended.PUBLISHED, tokens=5)
    assert await MacNotices([sys.executable, str(program)]).show(notice)
    lines = written.read_text().splitlines()
    assert lines[-2:] == [notice.title, notice.body]
    assert not any(notice.title in line for line in lines[:-2])
    assert not await MacNotices([str(tmp_path / "none")]).show(notice)
