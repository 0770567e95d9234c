"""One interruption, then peace for cleaning up."""

import os
import signal

import pytest

from daemon.cli.demo_interrupts import SIGNALS, EndedBySignal, Interrupts


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_block_and_tells_which_it_was(number: int) -> None:
    with pytest.raises(EndedBySignal) as ended, Interrupts():
        send(number)
    assert ended.value.number == number


def test_a_second_signal_does_not_disturb_the_cleaning_up() -> None:
    steps: list[str] = []

    def story() -> None:
        with Interrupts():
            try:
                send(signal.SIGINT)
                steps.append("went on")
            finally:
                send(signal.SIGINT)
                send(signal.SIGTERM)
                steps.append("cleaned up")

    with pytest.raises(EndedBySignal):
        story()
    assert steps == ["cleaned up"]


def test_while_held_a_signal_waits_for_the_end_of_the_block() -> None:
    steps: list[str] = []

    def story() -> None:
        with Interrupts() as interrupts:
            with interrupts.held():
                send(signal.SIGTERM)
                steps.append("noted")
            steps.append("went on")

    with pytest.raises(EndedBySignal):
        story()
    assert steps == ["noted"]


def test_after_the_story_signals_are_ignored_until_all_is_cleaned_up() -> None:
    steps: list[str] = []
    with Interrupts() as interrupts:
        interrupts.ignore_more()
        send(signal.SIGINT)
        steps.append("processes ended")
        with interrupts.held():
            send(signal.SIGINT)
        steps.append("folder removed")
    assert steps == ["processes ended", "folder removed"]


def test_a_signal_that_was_ignored_from_the_start_stays_ignored() -> None:
    earlier = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            send(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, earlier)


def test_the_earlier_handlers_come_back() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Interrupts():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before
