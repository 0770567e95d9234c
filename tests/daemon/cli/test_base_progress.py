"""How far a download is: bars on a terminal, few lines elsewhere."""

import io

from rich.console import Console

from daemon.cli.base_progress import stage

MB = 1_000_000


def told(reports: list[tuple[float, int]], total: int, unit: str = "bytes") -> list[str]:
    """The lines for reports of (time, done)."""
    out = io.StringIO()
    now = [0.0]
    console = Console(file=out, force_terminal=False, width=200)
    with stage("downloading x", unit, console=console, clock=lambda: now[0]) as report:
        for time, done in reports:
            now[0] = time
            report(done, total)
    return out.getvalue().splitlines()


def test_a_line_for_each_tenth_with_rate_and_what_is_left() -> None:
    lines = told([(second, second * MB) for second in range(101)], 100 * MB)

    assert lines[0] == "downloading x 0 % · 0 B of 100 MB"
    assert lines[1] == "downloading x 10 % · 10 MB of 100 MB · 1 MB/s · 1 min 30 s left"
    assert lines[-1] == "downloading x 100 % · 100 MB of 100 MB"
    assert len(lines) == 11


def test_a_download_that_goes_on_in_the_middle_does_not_look_faster() -> None:
    lines = told([(0.0, 50 * MB), (10.0, 60 * MB)], 100 * MB)

    assert lines == [
        "downloading x 50 % · 50 MB of 100 MB",
        "downloading x 60 % · 60 MB of 100 MB · 1 MB/s · 40 s left",
    ]


def test_other_units_are_counted() -> None:
    assert told([(0.0, 5)], 27, "tensors") == ["downloading x 19 % · 5 of 27 tensors"]


def test_nothing_to_do_is_no_division() -> None:
    assert told([(0.0, 0)], 0) == ["downloading x 100 % · 0 B of 0 B"]


def test_a_terminal_gets_a_bar_that_begins_where_the_download_does() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, color_system=None)

    with stage("downloading [x]", "bytes", console=console) as report:
        report(50 * MB, 100 * MB)
        report(100 * MB, 100 * MB)

    assert "downloading [x]" in out.getvalue()
    assert "100.0/100.0 MB" in out.getvalue()
