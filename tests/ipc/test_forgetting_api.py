"""What `admin.sock` takes as something to forget, and how a withdrawn adapter ends a stream."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ipc.errors import AdapterWithdrawn
from tests.daemon.cli.fake_forgetting import COST, DONE
from tests.ipc.serving import House, failing, house

Json = dict[str, Any]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path / "run") as home:
        yield home


@pytest.mark.parametrize(
    ("what", "scope", "named"),
    [
        ({"document": 7}, "document", 7),
        ({"source": "letters"}, "source", "letters"),
        ({"matching": "the copper\nheron"}, "matching", "the copper\nheron"),
        ({"answers": ["chatcmpl-1", "2"]}, "answers", ("chatcmpl-1", "2")),
        ({"everything": True}, "everything", None),
    ],
)
def test_each_scope_reaches_the_service(home: House, what: Json, scope: str, named: object) -> None:
    asked = home.administration.forgetting.asked
    assert home.admin.forgetting_cost(what) == COST
    assert home.admin.forget(what) == DONE
    assert asked == [("cost", scope, named), ("forget", scope, named)]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"document": 7, "everything": True},
        {"document": True},
        {"document": 0},
        {"document": 2**63},
        {"document": "7"},
        {"source": ""},
        {"matching": 5},
        {"answers": []},
        {"answers": "chatcmpl-1"},
        {"answers": [7]},
        {"everything": False},
        {"everything": True, "more": 1},
        {"documents": 7},
    ],
)
def test_whatever_is_not_meant_clearly_is_refused(home: House, body: Json) -> None:
    reply = home.ask("POST", "/forget", json.dumps(body).encode(), path=home.admin_path)
    assert reply.status == 400
    assert json.loads(reply.body)["error"]["code"] == "usage"
    assert home.administration.forgetting.asked == []


def test_a_withdrawn_adapter_ends_a_stream_with_an_error_event(tmp_path: Path) -> None:
    with house(tmp_path / "run", answer=failing(AdapterWithdrawn(), after=("So much ",))) as home:
        body = json.dumps({"model": "personal", "prompt": "So", "stream": True}).encode()
        reply = home.post("/v1/completions", body)
        *_, last, _ = reply.body.split(b"\n\n")
        error = json.loads(last.removeprefix(b"data: "))["error"]
        assert (reply.status, error["code"]) == (200, "adapter_withdrawn")
        assert b"[DONE]" not in reply.body
        with pytest.raises(AdapterWithdrawn, match="ask again"):
            list(home.model.complete("So"))
