"""Chats with the real `openai` client, from the socket to the sealed vault."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from ipc.asking import Asked
from ipc.errors import UnknownAnswer
from ipc.server import Servers
from ipc.sockets import ServiceSockets
from storage.keys import Passphrase
from storage.vault import Vault
from tests.daemon.conversing import Talks, talks
from tests.ipc.serving import Administration, Inference, failing, saying
from tests.pipeline.searching import files_with, needles
from tests.storage.making import PASSPHRASE

QUESTION = "Where did Perpetua hide the quince marmalade?"
ANSWER = "Behind the seventh organ pipe of Saint Wilgefortis."
SECRET = "Nobody may know of the underwater clavichord."
SECRET_ANSWER = "The clavichord was never mentioned by anyone."


@dataclass
class Served:
    house: Talks
    client: openai.AsyncOpenAI
    model: Inference
    asked: list[Asked]

    async def ask(self, *words: str, no_train: str | None = None, stream: bool = False) -> str:
        """The id of the answer to a conversation of user, assistant, user ..."""
        messages: list[Any] = [
            {"role": ("user", "assistant")[place % 2], "content": text}
            for place, text in enumerate(words)
        ]
        headers = {} if no_train is None else {"X-No-Train": no_train}
        create = self.client.chat.completions.create
        if not stream:
            whole = await create(model="personal", messages=messages, extra_headers=headers)
            return whole.id
        chunks = await create(
            model="personal", messages=messages, extra_headers=headers, stream=True
        )
        return [chunk.id async for chunk in chunks][-1]

    async def feedback(self, answer_id: str, quality: str) -> dict[str, Any]:
        answer = await self.client.post(
            "/feedback", cast_to=httpx2.Response, body={"id": answer_id, "quality": quality}
        )
        found: dict[str, Any] = answer.json()
        return found


@contextlib.asynccontextmanager
async def served(root: Path, *, listening: bool = True) -> AsyncIterator[Served]:
    model, asked = Inference(answer=saying(ANSWER[:20], ANSWER[20:])), list[Asked]()
    async with talks(root, listening=listening) as house:
        with ServiceSockets.claim(root / "run", environ={}) as sockets:
            servers = Servers(account=asked.append, keeper=house.keeper)
            await servers.start(sockets.api, sockets.admin, model, Administration())
            transport = httpx2.AsyncHTTPTransport(uds=str(root / "run" / "api" / "api.sock"))
            async with (
                httpx2.AsyncClient(transport=transport) as http,
                openai.AsyncOpenAI(
                    http_client=http, base_url="http://nightloom/v1", api_key="-", max_retries=0
                ) as client,
            ):
                try:
                    yield Served(house, client, model, asked)
                finally:
                    await servers.stop()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_chat_is_kept_unless_its_client_says_no(tmp_path: Path, stream: bool) -> None:
    async with served(tmp_path) as nightloom:
        await nightloom.ask(QUESTION, stream=stream)
        for word in ("1", "true", "yes", "01"):
            await nightloom.ask(SECRET, no_train=word, stream=stream)
        await nightloom.ask(QUESTION, ANSWER, "Sure?", no_train="0", stream=stream)
        await nightloom.ask(QUESTION, ANSWER, "Sure?", ANSWER, "Yes?", no_train="", stream=stream)
        await nightloom.house.heard()
        assert await nightloom.house.kept() == [
            [
                ("me", QUESTION, True), ("assistant", ANSWER, False),
                ("me", "Sure?", True), ("assistant", ANSWER, False),
                ("me", "Yes?", True), ("assistant", ANSWER, False),
            ]
        ]  # fmt: skip
        assert nightloom.house.collector.report("talks").skipped == {"no_train": 4}


async def test_what_was_kept_out_does_not_come_in_with_what_follows(tmp_path: Path) -> None:
    async with served(tmp_path) as nightloom:
        await nightloom.ask(QUESTION)
        await nightloom.ask(QUESTION, ANSWER, SECRET, no_train="1")
        await nightloom.ask(QUESTION, ANSWER, SECRET, SECRET_ANSWER, "And now?")
        await nightloom.house.heard()
        assert await nightloom.house.own() == [QUESTION, "And now?"]


async def test_without_such_a_source_nothing_is_kept(tmp_path: Path) -> None:
    async with served(tmp_path, listening=False) as nightloom:
        answer = await nightloom.ask(QUESTION)
        assert await nightloom.house.documents() == []
        assert (await nightloom.feedback(answer, "good"))["kept"] is False


async def test_an_answer_that_failed_and_a_prompt_without_a_chat_are_not_kept(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as nightloom:
        await nightloom.client.completions.create(model="base", prompt=QUESTION)
        nightloom.model.answer = failing(RuntimeError(SECRET), after=("I th",))
        with pytest.raises(openai.APIError):
            await nightloom.ask(QUESTION)
        await nightloom.house.heard()
        assert await nightloom.house.documents() == []


async def test_good_and_bad_over_the_socket(tmp_path: Path) -> None:
    async with served(tmp_path) as nightloom:
        good = await nightloom.ask(QUESTION, stream=True)
        bad = await nightloom.ask(QUESTION, ANSWER, "Sure?")
        assert await nightloom.feedback(good, "good") == {
            "id": good,
            "quality": "good",
            "kept": True,
        }
        assert (await nightloom.feedback(bad, "bad"))["kept"] is False
        (document,) = await nightloom.house.documents()
        assert document.about["quality"] == "good"
        assert await nightloom.house.own() == [QUESTION]
        with pytest.raises(openai.NotFoundError, match="is remembered") as unknown:
            await nightloom.feedback("chatcmpl-nobody", "bad")
        assert unknown.value.code == "answer_not_found"
        for body in ({"id": good}, {"id": good, "quality": "fine"}, {"quality": "bad"}, [1]):
            with pytest.raises(openai.BadRequestError):
                await nightloom.client.post("/feedback", cast_to=httpx2.Response, body=body)
        nightloom.house.door.refuse()
        with pytest.raises(openai.InternalServerError, match="locked"):
            await nightloom.feedback(good, "good")
        assert [one.what for one in nightloom.asked].count("feedback") == 2


async def test_a_keeper_that_fails_or_is_slow_costs_no_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = asyncio.Event()

    def fails(*_: object) -> None:
        raise UnknownAnswer(SECRET)

    async def slow(*_: object) -> None:
        await let_go.wait()

    async with served(tmp_path) as nightloom:
        with monkeypatch.context() as patched:
            patched.setattr(type(nightloom.house.keeper), "answered", fails)
            assert await nightloom.ask(QUESTION)
        assert "clavichord" not in caplog.text
        monkeypatch.setattr("daemon.collecting.conversation_shelf.ConversationShelf.keys", slow)
        for _ in range(3):  # nobody lets the first one go meanwhile
            assert await nightloom.ask(QUESTION)
        let_go.set()


async def test_no_word_lies_in_clear_anywhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, logger="daemon")
    caplog.set_level(logging.DEBUG, logger="ipc")
    wanted = needles(("quince marmalade", "Wilgefortis", "clavichord"))
    async with served(tmp_path) as nightloom:
        answer = await nightloom.ask(QUESTION)
        await nightloom.ask(QUESTION, ANSWER, SECRET, no_train="1")
        await nightloom.feedback(answer, "good")
        await nightloom.house.heard()
        assert files_with(wanted, tmp_path) == []
        assert "marmalade" not in repr(nightloom.house.collector.reports())
    gc.collect()
    assert files_with(wanted, tmp_path) == []
    said = caplog.text + "".join(capfd.readouterr())
    assert not any(word in said for word in ("marmalade", "Wilgefortis", "clavichord"))
    vault = Vault.open(tmp_path / "vault", Passphrase(text=PASSPHRASE))
    try:
        (head,) = vault.documents.heads()
        document = vault.documents.read(head.document_id)
        assert "clavichord" not in document.text + str(document.about)
        assert "quince marmalade" in document.text
    finally:
        vault.close()
