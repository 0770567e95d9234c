"""Whatever stands in a base folder, the answer is a base or a sentence, never a crash."""

import contextlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainer.base_format import MEANING, known_config, read_facts
from trainer.errors import BaseDamaged, BaseError
from trainer.tensor_file import TensorFileWriter, read_layout

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
SOUND: dict[str, Any] = {
    "model_type": "llama", "vocab_size": 10, "hidden_size": 64, "intermediate_size": 64,
    "num_hidden_layers": 1, "num_attention_heads": 1, "max_position_embeddings": 64,
}  # fmt: skip
FIELDS = [*MEANING, "rope_theta", "rope_scaling", "auto_map", "eos_token_id"]
quick = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def file_with_header(path: Path, header: bytes, data: bytes = b"") -> Path:
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)
    return path


@quick
@given(change=st.dictionaries(st.sampled_from(FIELDS), ANYTHING))
def test_a_config_is_taken_or_refused(change: dict[str, Any]) -> None:
    with contextlib.suppress(BaseError):  # and nothing else
        config = known_config(SOUND | change)
        assert set(config) <= {*FIELDS}


@quick
@given(facts=st.dictionaries(st.sampled_from(["format", "files", "name", "identity"]), ANYTHING))
def test_facts_that_say_too_little_are_refused(tmp_path: Path, facts: dict[str, Any]) -> None:
    (tmp_path / "nightloom.json").write_text(json.dumps(facts))
    with pytest.raises(BaseError):
        read_facts(tmp_path)


@quick
@given(header=ANYTHING.map(lambda value: json.dumps(value).encode()) | st.binary())
def test_a_header_that_describes_other_data_is_refused(tmp_path: Path, header: bytes) -> None:
    path = file_with_header(tmp_path / "model.safetensors", header, b"left over")
    with pytest.raises(BaseDamaged, match=r"model\.safetensors"):
        read_layout(path)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "U8", "shape": [4], "data_offsets": [-4, 0]},
        {"dtype": "U8", "shape": [8], "data_offsets": [0, 4]},
        {"dtype": "U8", "shape": [-2, -2], "data_offsets": [0, 4]},
        {"dtype": "U8", "shape": [True, 4], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [4], "data_offsets": [0, 4]},
        {"dtype": "OBJECT", "shape": [4], "data_offsets": [0, 4]},
        {"dtype": "U8", "shape": [4.0], "data_offsets": [0, 4]},
        {"dtype": "U8", "shape": [4], "data_offsets": [0, 4, 8]},
        {"dtype": "U8", "shape": [2], "data_offsets": [2, 4]},
    ],
)
def test_offsets_that_lead_elsewhere_are_refused(tmp_path: Path, entry: dict[str, Any]) -> None:
    header = json.dumps({"x": entry}).encode()
    with pytest.raises(BaseDamaged):
        read_layout(file_with_header(tmp_path / "x.safetensors", header, b"1234"))


def test_two_tensors_cannot_share_bytes(tmp_path: Path) -> None:
    entry = {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}
    header = json.dumps({"x": entry, "y": entry}).encode()
    with pytest.raises(BaseDamaged):
        read_layout(file_with_header(tmp_path / "x.safetensors", header, b"1234"))


def test_a_header_longer_than_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", 2**62) + b"{}")
    with pytest.raises(BaseDamaged):
        read_layout(path)


def test_a_file_that_misses_a_planned_tensor_is_never_called_complete(tmp_path: Path) -> None:
    plan = {"x": ("U8", (4,)), "y": ("F32", (1,))}
    with (
        pytest.raises(ValueError, match="not written"),
        TensorFileWriter(tmp_path / "x.safetensors", plan) as writer,
    ):
        writer.write("x", b"1234")


def test_written_tensors_begin_at_whole_cache_lines_and_are_read_back(tmp_path: Path) -> None:
    plan = {"odd": ("U8", (3,)), "wide": ("F32", (2,)), "half": ("BF16", (1,))}
    with TensorFileWriter(tmp_path / "x.safetensors", plan) as writer:
        writer.write("odd", b"abc")
        writer.write("half", b"hh")
        writer.write("wide", b"wwwwWWWW")
    tensors = read_layout(tmp_path / "x.safetensors").tensors
    data = (tmp_path / "x.safetensors").read_bytes()
    assert {name: data[one.start : one.start + one.size] for name, one in tensors.items()} == {
        "odd": b"abc", "half": b"hh", "wide": b"wwwwWWWW",
    }  # fmt: skip
    assert min(one.start for one in tensors.values()) % 64 == 0
