"""What `make soak` does, on a model that costs nothing: its clients, its judgement, its log."""

import random
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from ipc.errors import EngineUnavailable, PromptTooLong, UnknownModel
from ipc.inference import GenerationRequest
from tests.ipc.serving import Events, House, failing, house, saying
from tests.soak.clients import KINDS, TOO_MANY_WORDS, Client, outcome
from tests.soak.memory import Look, Rest, too_much
from tests.soak.soak import Phase, faults, table, write_log

REST = Rest(service=80_000_000, engine=900_000_000)


def answers(request: GenerationRequest) -> Events:
    """As the service does: it knows its models and the length of its context."""
    if request.model not in ("personal", "base"):
        return failing(UnknownModel())(request)
    if len((request.prompt or "").split()) >= TOO_MANY_WORDS:
        return failing(PromptTooLong())(request)
    return saying(*["and "] * 12)(request)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[House, None, None]:
    with house(tmp_path_factory.mktemp("n") / "run", answer=answers) as one:
        yield one


def client_of(served: House) -> Client:
    return Client(
        api=served.api_path, admin=served.admin, rng=random.Random(3), adapters=["ab" * 32]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_client_is_content_with_a_good_service(served: House, kind: str) -> None:
    client = client_of(served)
    assert [outcome(KINDS[kind][0], client) for _ in range(3)] == ["", "", ""]


@pytest.mark.parametrize(
    ("ask", "wrong"),
    [
        (Client.answer, "status 503"),
        (Client.stream, "cut short"),
        (Client.reads_slowly, "cut short, 503"),
        (Client.leaves_a_stream, "ended by itself, too early"),
        (Client.too_long, "status 503"),
    ],
)
def test_what_a_bad_service_does_is_said_without_any_text(
    tmp_path: Path, ask: Callable[[Client], str], wrong: str
) -> None:
    with house(tmp_path / "run", answer=failing(EngineUnavailable())) as served:
        assert outcome(ask, client_of(served)) == wrong


def test_a_service_that_is_gone_is_a_word_too(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served:
        client = client_of(served)
    assert outcome(Client.answer, client) == "NotRunning"


# --------------------------------------------------------------------------- the judgement


def phase(name: str, rest: Rest, *failed: str, engine: int = 7) -> Phase:
    return Phase(
        name=name, seconds=2.0, asked=Counter(short=100), failed=Counter(failed), rest=rest,
        engine=engine,
    )  # fmt: skip


def test_a_twentieth_more_is_too_much_and_less_is_not() -> None:
    much = Rest(service=84_000_000, engine=944_000_000)
    assert too_much(much.growth(REST)) == ["service"]
    assert too_much(REST.growth(much)) == []


def test_whatever_failed_grew_or_was_replaced_is_a_fault() -> None:
    grown = Rest(service=80_000_000, engine=990_000_000)
    found = faults(
        [
            phase("warm-up", REST, "short: status 503"),
            phase("in a row", REST),
            phase("mixed", grown, engine=8),
        ]
    )
    assert found == [
        "warm-up: short: status 503, 1 times",
        "mixed: the engine grew by 10.0%",
        "mixed: the engine is another process",
    ]
    assert faults([phase("warm-up", REST), phase("mixed", REST)]) == []


def test_the_table_has_a_line_for_each_phase_and_fits_a_terminal() -> None:
    lines = table([phase("warm-up", REST), phase("10,000 in a row", REST, "short: status 503")])
    assert [line.split()[-1] for line in lines[1:3]] == ["+0.0%", "+0.0%"]
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "asked: 200 short"


def test_a_rest_is_the_median_of_its_looks() -> None:
    looks = [Look(seconds=0, service=size, engine=2 * size) for size in (1, 3, 100)]
    assert Rest.of(looks) == Rest(service=3, engine=6)


def test_the_log_is_csv(tmp_path: Path) -> None:
    write_log(tmp_path / "new" / "soak.csv", [Look(seconds=0.5, service=10, engine=20)])
    assert (tmp_path / "new" / "soak.csv").read_text().splitlines() == [
        "seconds,service_bytes,engine_bytes",
        "0.5,10,20",
    ]
