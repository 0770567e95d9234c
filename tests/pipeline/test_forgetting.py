"""A sentence that was learned and forgotten: out of every answer at once, and out of the weights.

A real night learns it, a chat streams while it is forgotten, and a second night learns the rest
again. How well an adapter predicts the sentence is measured beside one that never saw it.
"""

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest

from storage.forgetting import check_forgotten
from storage.records import AdapterStatus, DocumentState
from tests.pipeline import tiny
from tests.pipeline.living import Nightloom, entry_of
from tests.pipeline.searching import files_with, needles
from trainer.base_model import load_base
from trainer.evaluation import document_losses
from trainer.examples import Role
from trainer.lora import LoraBank
from trainer.preparation import general_examples

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

RNG = random.Random(77)
PLANTED = " ".join(RNG.choice(tiny.SYLLABLES) + RNG.choice(tiny.SYLLABLES) for _ in range(24)) + "."
TIMES = 12  # that it stands in its file
FORGOTTEN_SHARE = 0.25  # of what was learned of the sentence may be left, for noise between nights
Json = dict[str, Any]


def put_planted(place: Nightloom) -> None:
    """As a second version of its file: these are always trained on, and never judge."""
    place.write("planted.md", tiny.note(4000))
    place.add_source(name="planted")
    place.write("planted.md", f"{PLANTED} " * TIMES)
    place.admin.rescan()


def weights_in_use(place: Nightloom) -> bytes:
    """Of a service that does not run."""
    with place.open_vault() as vault:
        current = vault.shelf.current()
        assert current is not None
        return vault.shelf.weights(current.sha256)


def loss(base: Path, weights: bytes | None) -> float:
    """Nats per token of the planted sentence, with this adapter or with the base."""
    model = load_base(base)
    bank = LoraBank(model.model, model.identity)
    name = None if weights is None else "tried"
    if weights is not None:
        bank.load("tried", weights)
    ids = np.array([model.tokenizer.encode_prompt(PLANTED)], dtype=np.int32)
    (example,) = general_examples(ids, Role.GENERAL)
    (found,) = document_losses(
        model.model,
        [example],
        context_tokens=model.context_tokens,
        between_batches=lambda: None,
        activate=lambda: bank.serving(name),
    )
    return found.nats / found.tokens


def night(place: Nightloom) -> Json:
    entry = entry_of(place.admin.run_night())
    assert entry["state"] == "done", entry["sentence"]
    return entry


def forget_while_a_chat_streams(place: Nightloom) -> tuple[float, openai.APIError]:
    """Seconds from the forgetting to the end of the stream, and how that ended.

    The engine is stopped before the first words, so that the stream is open for certain, and the
    engine as busy as it can be.
    """
    assert place.ask("Where is the keeper?") is not None  # the engine has the adapter from here on
    engine = place.engine_pid()
    assert engine is not None
    with place.client() as client:
        stream = client.chat.completions.create(
            model="personal", messages=[{"role": "user", "content": "Where is the keeper?"}],
            stream=True, temperature=1.0, max_tokens=200,
        )  # fmt: skip
        next(iter(stream))  # it has begun; no word was said yet
        os.kill(engine, signal.SIGSTOP)
        began = time.monotonic()
        place.admin.forget({"matching": PLANTED})
        with pytest.raises(openai.APIError) as ended:
            for _ in stream:
                pass
        return time.monotonic() - began, ended.value


def test_a_forgotten_sentence_is_out_of_the_answers_and_out_of_the_weights(
    noted: Nightloom, after_a_night: Nightloom, tiny_base: Path
) -> None:
    noted.start()
    put_planted(noted)
    saw = night(noted)["adapter"]
    assert noted.terminate() == 0
    learned = loss(tiny_base, weights_in_use(noted))
    never = loss(tiny_base, weights_in_use(after_a_night))
    assert never - learned > 0.5, "the night did not learn the sentence, so nothing is shown"

    noted.start()
    before = noted.admin.status()
    seconds, ended = forget_while_a_chat_streams(noted)
    assert ended.code == "adapter_withdrawn"
    with noted.client() as client:
        assert [model.id for model in client.models.list()] == ["personal", "base"]
    print(f"the stream ended after {seconds:.2f} s")
    after = noted.admin.status()
    assert (before["adapter"], after["adapter"]) == (saw, None)
    assert noted.ask("Where is the keeper?") is not None
    assert after["pending_documents"] > before["pending_documents"]
    assert "would_work" in noted.admin.why()

    again = night(noted)["adapter"]
    assert noted.admin.status()["adapter"] == again
    assert noted.terminate() == 0
    relearned = loss(tiny_base, weights_in_use(noted))
    print(
        f"nats per token: learned {learned:.2f}, never saw {never:.2f}, forgotten {relearned:.2f}"
    )
    assert relearned > never - FORGOTTEN_SHARE * (never - learned)

    assert files_with(needles([PLANTED]), noted.home_folder) == []
    with noted.open_vault() as vault:
        (event,) = [one for one in vault.ledger.events() if one["kind"] == "forgotten"]
        assert check_forgotten(vault, event) == []
        assert vault.verify().intact
        statuses = {one.sha256[:12]: one.status for one in vault.shelf.list()}
        assert statuses == {saw: AdapterStatus.WITHDRAWN, again: AdapterStatus.CURRENT}
        assert vault.documents.counts()[DocumentState.NEW] == 0
