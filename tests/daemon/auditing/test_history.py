"""What the events say, put together."""

from typing import Any

from daemon.auditing.history import history, since

Json = dict[str, Any]


def event(number: int, kind: str, at: float | None, **facts: Any) -> Json:
    told = {"id": number, "kind": kind, "facts": facts}
    return told if at is None else told | {"at": at}


def asked(program: str, what: str, *, socket: str = "api", **facts: Any) -> Json:
    return {
        "socket": socket,
        "program": program,
        "uid": 1000,
        "what": what,
        "pids": [41],
        "requests": 1,
        "tokens": 0,
        "first_at": 5.0,
        "last_at": 5.0,
        **facts,
    }


EVENTS = [
    event(1, "unlocked", 1.0, slot="passphrase"),
    event(2, "collected", 2.0, source="letters", stored=3),
    event(3, "collected", 3.0, source="letters", new_versions=1, forgotten=2),
    event(4, "collected", 4.0, source="diary", stored=1),
    event(
        5,
        "asked",
        6.0,
        requests=[
            asked("editor", "personal@ab", requests=4, tokens=300),
            asked("editor", "models", pids=[42], last_at=5.5),
            asked("nightloom", "GET /status", socket="admin", requests=9),
        ],
    ),
    event(6, "asked", 8.0, requests=[asked("editor", "personal@ab", tokens=100, last_at=7.5)]),
    event(7, "night", 9.0, night=1, state="preparing", reason=None),
    event(8, "night", 10.0, night=1, state="refused", reason="general_loss"),
    event(9, "published", 11.0, night=2, adapter="ab", parent=None, documents=4),
    event(10, "forgotten", 12.0, items=[[1, 2]]),
]


def test_who_asked_is_counted_by_program_and_socket() -> None:
    told = history(EVENTS)["asked"]
    assert [(one["program"], one["socket"], one["requests"], one["tokens"]) for one in told] == [
        ("nightloom", "admin", 9, 0),
        ("editor", "api", 6, 400),
    ]
    assert told[1]["pids"] == [41, 42]
    assert told[1]["last_at"] == 7.5
    assert told[1]["what"] == {"personal@ab": 5, "models": 1}


def test_what_was_served_is_counted_by_model_and_not_by_what_gave_no_token() -> None:
    assert history(EVENTS)["served"] == [{"model": "personal@ab", "requests": 5, "tokens": 400}]


def test_what_was_collected_is_counted_by_source() -> None:
    assert history(EVENTS)["collected"] == [
        {"source": "diary", "documents": 1, "kept_out": 0, "last_at": 4.0},
        {"source": "letters", "documents": 4, "kept_out": 2, "last_at": 3.0},
    ]


def test_a_night_stands_with_its_last_state() -> None:
    assert history(EVENTS)["nights"] == [
        {"night": 1, "state": "refused", "reason": "general_loss", "at": 10.0}
    ]


def test_every_event_is_somewhere() -> None:
    told = history(EVENTS)
    assert [one["event"] for one in told["published"]] == [9]
    assert [one["event"] for one in told["forgotten"]] == [10]
    assert [one["kind"] for one in told["others"]] == ["unlocked"]


def test_older_events_are_left_out_and_those_without_a_time_are_not() -> None:
    events = [event(1, "unlocked", None), event(2, "locked", 5.0), event(3, "locked", 9.0)]
    assert [one["id"] for one in since(events, 6.0)] == [1, 3]
    assert since(events, None) == events
