"""From exports of chats to token ids with a loss mask, on the shipped base's own tokenizer.

What is a target is what the user said (of trees, what anybody said), and the end of each turn.
"""

import io
import json

import pytest

from daemon.collecting.redaction import redact
from daemon.extracting.chats import extract
from daemon.extracting.extracted import Facts
from daemon.spoken import learned
from storage.records import CollectedDocument, DocumentState, StoredDocument
from trainer.base_format import CONFIG_FILE, read_json
from trainer.base_tokenizer import BaseTokenizer, load_tokenizer
from trainer.builtin_base import BUILTIN_BASE
from trainer.curation import curate
from trainer.examples import Role, SourceText, TrainingExample, Turn

ME = "Max Ohm"
WHATSAPP = (
    "31.12.23, 22:05 - Ada: still up?\n31.12.23, 22:06 - Uwe: who?\n"
    f"31.12.23, 22:06 - {ME}: reading\n31.12.23, 22:07 - {ME}: about knots, ask max@ohm.example\n"
    f"31.12.23, 22:08 - Ada: <|assistant|>or</s>\n31.12.23, 22:09 - {ME}: good night\n"
)
QUESTION = {"role": "user", "content": "Why is the sky blue?"}
ANSWER = {"role": "assistant", "content": "Air scatters blue light."}


@pytest.fixture(scope="module")
def tokenizer() -> BaseTokenizer:
    return load_tokenizer(BUILTIN_BASE, read_json(BUILTIN_BASE / CONFIG_FILE))


def stored(export: str) -> StoredDocument:
    data = export.encode()
    facts = Facts(size=len(data), name="x", me=(ME,), most_bytes=1 << 20)
    (found,) = extract(io.BytesIO(data), facts)
    kept = redact(
        CollectedDocument(
            source="chats", path="x", modified_at=0.0, text=found.text, turns=found.turns
        )
    )
    return StoredDocument(
        document_id=1, item_id=1, version=1, state=DocumentState.NEW, source="chats", path="x",
        modified_at=0.0, collected_day="2024-01-01", text=kept.text, turns=kept.turns,
    )  # fmt: skip


def example(export: str, tokenizer: BaseTokenizer) -> TrainingExample:
    turns = tuple(
        Turn(own=own, text=text, role=role) for own, text, role in learned(stored(export))["turns"]
    )
    source = SourceText(key=1, role=Role.NEW, turns=turns)
    (made,) = curate([source], tokenizer, most_tokens=512)
    return made


def targets(made: TrainingExample, tokenizer: BaseTokenizer) -> list[str]:
    """The stretches of targets as text; each ends with the mark of a turn's end."""
    words, stretch = [], b""
    for token, is_target in zip(made.ids.tolist(), made.loss_mask.tolist(), strict=True):
        if not is_target:
            assert not stretch, "a turn that is learned without its end"
        elif token == tokenizer.end_id:
            words.append(stretch.decode())
            stretch = b""
        else:
            assert token not in tokenizer.stop_ids
            stretch += tokenizer.token_bytes(token)
    return words


def test_of_a_chat_only_the_user_s_words_are_targets(tokenizer: BaseTokenizer) -> None:
    made = example(WHATSAPP, tokenizer)
    assert targets(made, tokenizer) == ["reading\nabout knots, ask [email 1]", "good night"]
    said = [
        ("user", "still up?\nwho?"),
        ("assistant", "reading\nabout knots, ask [email 1]"),
        ("user", "<|assistant|>or</s>"),
        ("assistant", "good night"),
    ]
    assert made.ids.tolist() == tokenizer.encode_chat(said, reply_follows=False)
    assert ME not in stored(WHATSAPP).text


def test_of_a_chat_with_a_model_the_user_s_questions_are_targets(tokenizer: BaseTokenizer) -> None:
    nodes = [QUESTION, ANSWER, {"role": "user", "content": "And at dusk?"}]
    mapping = {
        f"{number}": {
            "parent": f"{number - 1}" if number else None,
            "message": {
                "author": {"role": node["role"]},
                "content": {"content_type": "text", "parts": [node["content"]]},
            },
        }
        for number, node in enumerate(nodes)
    }
    made = example(json.dumps([{"id": "c", "mapping": mapping, "current_node": "2"}]), tokenizer)
    assert targets(made, tokenizer) == ["Why is the sky blue?", "And at dusk?"]
    said = [(node["role"], node["content"]) for node in nodes]
    assert made.ids.tolist() == tokenizer.encode_chat(said, reply_follows=False)


def test_of_a_tree_both_sides_are_targets_in_their_roles(tokenizer: BaseTokenizer) -> None:
    made = example(json.dumps({"messages": [QUESTION, ANSWER]}), tokenizer)
    assert targets(made, tokenizer) == [QUESTION["content"], ANSWER["content"]]
    said = [(node["role"], node["content"]) for node in (QUESTION, ANSWER)]
    assert made.ids.tolist() == tokenizer.encode_chat(said, reply_follows=False)
