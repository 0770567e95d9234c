"""When the next night may begin by itself, after how the last ones ended."""

import pytest

from daemon.night_retries import Retry, retry_after

NOW = 100_000.0
WINDOW, NEXT = NOW - 3600.0, NOW + 80_000.0


def night(state: str, ago: float, reason: str | None = None) -> dict[str, object]:
    started = NOW - ago
    return {
        "id": 1, "state": state, "started_at": started, "seconds": 60.0, "reason": reason,
        "ended_at": started + 90.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("nights", "acted_at", "expected"),
    [
        ([], 0.0, Retry()),
        ([night("done", 500)], 0.0, Retry()),
        ([night("yielding", 500), night("failed", 9000)], 0.0, Retry()),
        (
            [night("failed", 500)],
            0.0,
            Retry(failures=1, again_at=NOW - 410 + 900, reason="after_failure"),
        ),
        (
            [night("failed", 500), night("failed", 5000), night("refused", 9000)],
            0.0,
            Retry(failures=2, again_at=NOW - 410 + 7200, reason="after_failure"),
        ),
        ([night("failed", 500, "abandoned"), night("done", 5000)], 0.0, Retry()),
        ([night("failed", 500), night("failed", 5000)], NOW - 400, Retry()),  # a person acted
        ([night("refused", 500)], 0.0, Retry(again_at=NEXT, reason="after_refusal")),
        ([night("refused", 50_000)], 0.0, Retry()),  # in the window before
        ([night("refused", 500)], NOW - 100, Retry()),
    ],
)
def test_what_follows_from_the_last_nights(
    nights: list[dict[str, object]], acted_at: float, expected: Retry
) -> None:
    retry = retry_after(nights, acted_at=acted_at, next_window=NEXT, window_began=WINDOW)
    assert retry == expected
    assert not retry.is_stopped


def test_three_failed_nights_in_a_row_stop_it_until_a_person_acts() -> None:
    nights = [night("failed", 100.0 * number) for number in (1, 50, 90)]
    assert retry_after(nights, acted_at=0.0, next_window=NEXT, window_began=WINDOW).is_stopped
    later = retry_after(nights, acted_at=NOW - 6000, next_window=NEXT, window_began=WINDOW)
    assert (later.failures, later.is_stopped) == (2, False)
