"""The engine as a real process over the real link: asked, killed, cancelled, left alone.

Starting one takes seconds (it imports torch), so all tests share one that starts again where a
test kills it.
"""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import torch

from daemon.engine_handle import EngineHandle, EngineState, adapter_name
from daemon.engine_process import Attachment, body_json, engine_environment
from daemon.errors import EngineDied, EngineFailed
from ipc.link import Message
from storage.records import sha256_hex
from trainer.adapter_file import pack_adapter, unpack_adapter
from trainer.adapter_format import LoraShape
from trainer.base_format import read_facts

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOON_SECONDS = 15.0
SAMPLING = {"adapter": None, "max_tokens": 12, "temperature": 0.0, "top_p": 1.0, "seed": 1}
RECIPE = {
    "lora": {"rank": 4, "dropout": 0.1}, "row_tokens": 64, "canaries": 2, "passes": 4000,
    "finetune": {"rows_per_step": 1, "rows_per_micro_batch": 1},
}  # fmt: skip
TRAINING = {"recipe": RECIPE, "seed": 5, "max_seconds": 60.0, "checkpoint_seconds": 60.0}
OUR_SECRETS = {
    "NIGHTLOOM_HOME": "/home/ada/nightloom",
    "NIGHTLOOM_PASSPHRASE_FILE": "/home/ada/passphrase",
    "AWS_SECRET_ACCESS_KEY": "swordfish",
}
TEXTS = [f"The bees came back to hive {number} before the rain." for number in range(6)]


shelf: dict[str, bytes] = {}
taken: list[str] = []


async def from_shelf(digest: str) -> bytes:
    taken.append(digest)
    return shelf[digest]


@contextlib.asynccontextmanager
async def running(folder: Path, **options: Any) -> AsyncIterator[EngineHandle]:
    engine = EngineHandle(base_folder=lambda: folder, threads=1, weights=from_shelf, **options)
    try:
        yield engine
    finally:
        await engine.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(base_folder: Path) -> AsyncIterator[EngineHandle]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in OUR_SECRETS.items():
            patch.setenv(name, value)
        async with running(base_folder) as engine:
            yield engine


def state(engine: EngineHandle) -> EngineState:
    return engine.state


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_SECONDS):
        while not holds():  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.01)


def prompt(text: str) -> bytes:
    return body_json({"prompt": text})


async def answer(
    engine: EngineHandle, text: str = "The bees", *, adapters: Sequence[str] = (), **sampling: Any
) -> str:
    pieces = []
    async with contextlib.aclosing(
        engine.request("generate", SAMPLING | sampling, prompt(text), adapters=adapters)
    ) as messages:
        async for message in messages:
            if message.header["event"] == "text":
                pieces.append(bytes(message.body).decode())
    return "".join(pieces)


async def attachments(role: str = "new") -> AsyncIterator[Attachment]:
    for key, text in enumerate(TEXTS):
        yield Attachment(
            name="text", body=body_json({"text": text}), facts={"key": key, "role": role}
        )


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


# --------------------------------------------------------------------------- answering


async def test_an_engine_loads_the_base_and_answers(
    engine: EngineHandle, base_folder: Path
) -> None:
    base = await engine.load()
    assert base.identity == read_facts(base_folder).identity
    assert (base.name, base.context_tokens) == ("tiny-llama", 256)
    assert state(engine) is EngineState.SERVING
    text = await answer(engine)
    assert text
    assert await answer(engine) == text
    assert engine.resident_bytes() > 10_000_000


async def test_an_engine_is_told_of_our_environment_only_what_it_needs() -> None:
    told = engine_environment(OUR_SECRETS | {"PATH": "/usr/bin", "HOME": "/home/ada"})
    assert told["PATH"] == "/usr/bin"
    assert told["HF_HUB_OFFLINE"] == told["TRANSFORMERS_OFFLINE"] == "1"
    assert not set(told) & set(OUR_SECRETS)
    assert "ada" not in "".join(told.values())


@pytest.mark.skipif("sys.platform != 'linux'")
async def test_an_engine_has_no_network_and_none_of_our_environment(engine: EngineHandle) -> None:
    assert (await engine.load()).network_denied
    try:
        environment = Path(f"/proc/{engine.process_id}/environ").read_bytes()  # noqa: ASYNC240
    except PermissionError:
        return  # nobody but root can look into it
    assert b"PATH=" in environment
    assert not any(name.encode() in environment for name in OUR_SECRETS)
    assert not any(value.encode() in environment for value in OUR_SECRETS.values())


async def test_requests_that_cannot_be_answered_are_named_and_the_next_one_works(
    engine: EngineHandle,
) -> None:
    with pytest.raises(EngineFailed) as unknown:
        await engine.ask("make coffee", {})
    assert unknown.value.code == "unknown"
    with pytest.raises(EngineFailed) as long:
        await answer(engine, "bees " * 300)
    assert long.value.code == "PromptTooLong"
    assert long.value.facts["context_tokens"] == 256
    assert long.value.facts["prompt_tokens"] > 255
    with pytest.raises(EngineFailed) as hot:
        await answer(engine, temperature=-1.0)
    assert hot.value.code == "BadSampling"
    with pytest.raises(EngineFailed) as broken:
        await engine.ask("generate", SAMPLING, b"heather honey is no JSON")
    assert broken.value.code == "broken"
    assert "heather" not in str(broken.value)
    with pytest.raises(EngineFailed) as adapter:
        await answer(engine, adapter="a_unknown")
    assert adapter.value.code == "AdapterUnknown"
    assert await answer(engine)


async def test_a_base_that_cannot_be_loaded_is_named_and_no_process_stays(tmp_path: Path) -> None:
    async with running(tmp_path) as engine:
        with pytest.raises(EngineFailed) as missing:
            await engine.load()
        assert missing.value.code == "BaseMissing"
        assert engine.process_id is None


def loud_adapter(identity: str) -> bytes:
    """A random adapter that changes whatever the tiny base says."""
    linears = {"q": (64, 64), "k": (32, 64), "v": (32, 64), "o": (64, 64)}
    sizes = {f"self_attn.{name}_proj": size for name, size in linears.items()}
    sizes |= {"mlp.gate_proj": (128, 64), "mlp.up_proj": (128, 64), "mlp.down_proj": (64, 128)}
    tensors = {}
    for layer in range(2):
        for name, (rows, columns) in sizes.items():
            path = f"base_model.model.model.layers.{layer}.{name}"
            tensors[f"{path}.lora_A.weight"] = torch.randn(2, columns)
            tensors[f"{path}.lora_B.weight"] = torch.randn(rows, 2)
    return pack_adapter(tensors, base=identity, shape=LoraShape(rank=2))


async def test_an_adapter_is_fetched_once_changes_the_answer_and_is_dropped(
    engine: EngineHandle,
) -> None:
    data = loud_adapter((await engine.load()).identity)
    digest = sha256_hex(data)
    shelf[digest] = data
    bare = await answer(engine)
    personal = await answer(engine, adapters=[digest], adapter=adapter_name(digest))
    assert personal != bare
    assert await answer(engine, adapters=[digest], adapter=adapter_name(digest)) == personal
    assert await answer(engine) == bare
    assert taken.count(digest) == 1
    await engine.drop_adapter(digest)
    with pytest.raises(EngineFailed):
        await answer(engine, adapter=adapter_name(digest))
    assert await answer(engine, adapters=[digest], adapter=adapter_name(digest)) == personal
    assert taken.count(digest) == 2


async def test_other_bytes_than_the_digest_says_are_not_loaded(engine: EngineHandle) -> None:
    data = loud_adapter((await engine.load()).identity)
    shelf["ab" * 32] = data
    with pytest.raises(EngineFailed) as refused:
        await answer(engine, adapters=["ab" * 32], adapter=adapter_name("ab" * 32))
    assert refused.value.code == "AdapterDamaged"


# --------------------------------------------------------------------------- ends


async def test_an_engine_killed_in_mid_generation_ends_the_request_and_the_next_one_works(
    engine: EngineHandle,
) -> None:
    first = engine.request("generate", SAMPLING | {"max_tokens": None}, prompt("The bees"))
    started = await anext(first)
    assert started.header["event"] == "started"
    killed = engine.process_id
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    with pytest.raises(EngineDied):
        async for _ in first:
            pass
    assert await answer(engine)
    assert engine.process_id not in (None, killed)


async def test_a_client_that_leaves_harms_nobody(engine: EngineHandle) -> None:
    text = await answer(engine)
    endless = engine.request("generate", SAMPLING | {"max_tokens": None}, prompt("The bees"))
    assert (await anext(endless)).header["event"] == "started"
    await endless.aclose()
    assert await answer(engine) == text


async def test_work_that_nobody_waits_for_ends_and_frees_the_model(engine: EngineHandle) -> None:
    """Without an end, the second request would wait for a hundred thousand tokens."""
    await engine.load()
    endless = engine.request("sample", {"count": 2, "tokens": 50_000, "seed": 1})
    assert (await anext(endless)).header["event"] == "progress"
    await endless.aclose()
    async with asyncio.timeout(SOON_SECONDS):
        made = await engine.ask("sample", {"count": 1, "tokens": 3, "seed": 1})
    assert made.header["shape"] == [1, 3]


async def test_an_engine_that_nobody_asks_stops_and_frees_its_memory(base_folder: Path) -> None:
    async with running(base_folder, idle_seconds=0.05) as engine:
        await engine.load()
        pid = engine.process_id
        assert pid is not None
        await until(lambda: engine.state is EngineState.STOPPED)
        await until(lambda: not alive(pid))
        assert engine.resident_bytes() == 0


async def test_an_engine_that_is_let_go_answers_its_client_first(base_folder: Path) -> None:
    async with running(base_folder) as engine:
        answering = engine.request("generate", SAMPLING, prompt("The bees"))
        async with contextlib.aclosing(answering):
            await steps_until(answering, "started")
            await engine.let_go()
            assert state(engine) is EngineState.SERVING
            assert (await steps_until(answering, "done")).header["completion_tokens"] > 0
        await until(lambda: engine.state is EngineState.STOPPED)


async def test_an_engine_that_does_not_hear_that_it_shall_rest_is_ended(
    base_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.engine_handle.WORD_SECONDS", 0.05)
    async with running(base_folder) as engine:
        await engine.load()
        pid = engine.process_id
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        await engine.hold()
        assert state(engine) is EngineState.STOPPED
        await until(lambda: not alive(pid))


async def test_a_stopped_handle_ends_its_process_even_while_it_loads(base_folder: Path) -> None:
    async with running(base_folder) as engine:
        loading = asyncio.create_task(engine.load())
        await until(lambda: engine.process_id is not None)
        assert state(engine) is EngineState.LOADING
        pid = engine.process_id
        assert pid is not None
        await engine.stop()
        with pytest.raises(EngineDied):
            await loading
        assert not alive(pid)


# --------------------------------------------------------------------------- training


async def steps_until(messages: AsyncIterator[Message], event: str) -> Message:
    async for message in messages:
        if message.header["event"] == event:
            return message
    raise AssertionError(f"no {event} came")


async def test_a_chat_request_is_answered_before_training_goes_on(engine: EngineHandle) -> None:
    training = engine.request("train", TRAINING, attachments=attachments())
    async with contextlib.aclosing(training):
        before = await steps_until(training, "step")
        assert state(engine) is EngineState.TRAINING
        assert await answer(engine)
        after = await steps_until(training, "step")
        assert 0 < before.header["step"] < after.header["step"] < after.header["steps"]
        await engine.stop_training()
        checkpoint = await steps_until(training, "checkpoint")
        done = await anext(training)
    assert len(checkpoint.body) > 1000
    assert (done.header["event"], done.header["stopped"]) == ("done", True)
    assert state(engine) is EngineState.SERVING


async def test_held_training_rests_and_goes_on_or_stops_as_if_it_had_not(
    engine: EngineHandle,
) -> None:
    short = TRAINING | {"recipe": RECIPE | {"passes": 10}}
    whole = (await engine.ask("train", short, attachments=attachments())).header["sha256"]

    training = engine.request("train", short, attachments=attachments())
    async with contextlib.aclosing(training):
        await steps_until(training, "step")
        await engine.hold()
        assert state(engine) is EngineState.SERVING
        patient = engine.ask("sample", {"count": 1, "tokens": 3, "seed": 1})
        sampling = asyncio.create_task(patient)
        assert await answer(engine), "clients are served"
        assert not sampling.done()
        await engine.go_on()
        assert (await steps_until(training, "done")).header["sha256"] == whole
        await sampling

    async def resuming(checkpoint: bytes) -> AsyncIterator[Attachment]:
        yield Attachment(name="checkpoint", body=checkpoint)
        async for attached in attachments():
            yield attached

    training = engine.request("train", short, attachments=attachments())
    async with contextlib.aclosing(training):
        await steps_until(training, "step")
        await engine.hold()
        await engine.stop_training()
        checkpoint = bytes((await steps_until(training, "checkpoint")).body)
        assert (await anext(training)).header["stopped"] is True
    await engine.go_on()
    made = await engine.ask("train", short, attachments=resuming(checkpoint))
    assert made.header["sha256"] == whole


async def test_a_night_that_nobody_waits_for_ends_and_frees_the_model(engine: EngineHandle) -> None:
    training = engine.request("train", TRAINING, attachments=attachments())
    await steps_until(training, "step")
    await training.aclose()
    async with asyncio.timeout(SOON_SECONDS):  # patient work: it would wait for the whole night
        made = await engine.ask("sample", {"count": 1, "tokens": 3, "seed": 1})
    assert made.header["shape"] == [1, 3]


async def test_a_stop_that_comes_while_the_texts_are_on_their_way_is_not_lost(
    engine: EngineHandle,
) -> None:
    await engine.load()

    async def slow() -> AsyncIterator[Attachment]:
        async for attached in attachments():
            yield attached
        await engine.stop_training()

    events = [m.header async for m in engine.request("train", TRAINING, attachments=slow())]
    assert events[-1]["event"] == "done"
    assert events[-1]["stopped"] is True


async def test_a_night_that_was_killed_goes_on_and_makes_the_same_adapter(
    engine: EngineHandle,
) -> None:
    short = TRAINING | {"recipe": RECIPE | {"passes": 3}}
    identity = (await engine.load()).identity

    async def trained(engine: EngineHandle, checkpoint: bytes | None = None) -> bytes:
        async def given() -> AsyncIterator[Attachment]:
            if checkpoint is not None:
                yield Attachment(name="checkpoint", body=checkpoint)
            async for attached in attachments():
                yield attached

        last = await engine.ask("train", short, attachments=given())
        data = bytes(last.body)
        assert last.header["sha256"] == sha256_hex(data)
        return data

    whole = await trained(engine)
    eager = short | {"checkpoint_seconds": 0.0}
    training = engine.request("train", eager, attachments=attachments())
    checkpoint = bytes((await steps_until(training, "checkpoint")).body)
    pid = engine.process_id
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EngineDied):
        await steps_until(training, "done")
    assert await trained(engine, checkpoint) == whole
    tensors, shape = unpack_adapter(whole, base=identity)
    assert shape.rank == 4
    assert any(tensor.any() for name, tensor in tensors.items() if "lora_B" in name)


async def test_a_candidate_is_judged_beside_the_base(engine: EngineHandle) -> None:
    short = TRAINING | {"recipe": RECIPE | {"passes": 3}}
    samples = bytes((await engine.ask("sample", {"count": 4, "tokens": 32, "seed": 3})).body)
    made = await engine.ask("train", short, attachments=attachments())
    digest = made.header["sha256"]

    async def judging() -> AsyncIterator[Attachment]:
        yield Attachment(name="samples", body=samples, facts={"shape": [4, 32]})
        async for attached in attachments("held_out"):
            yield attached

    parameters = {
        "recipe": RECIPE, "seed": 5, "served": None, "candidate": adapter_name(digest),
    }  # fmt: skip
    with engine.unpublished(digest, bytes(made.body)):
        verdict = await engine.ask("judge", parameters, attachments=judging(), adapters=[digest])
    found = json.loads(bytes(verdict.body))
    assert len(found["held_out"]) == len(TEXTS)
    assert all(row["tokens"] > 5 for row in found["held_out"])
    before = sum(row["before"] for row in found["held_out"])
    assert sum(row["after"] for row in found["held_out"]) < before
    assert found["stable"] == []
    assert found["general_loss_base"] == found["general_loss_before"] > 0
    assert found["general_loss_after"] != found["general_loss_base"]
    assert (found["canaries_planted"], found["canaries_extracted"]) == (2, 0)
    assert found["smoke"]["tokens"] > 0
