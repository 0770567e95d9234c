"""The catalogue's arithmetic against the real model code, and what it recommends."""

import math

import pytest

from daemon.adding.names import REPOSITORY
from daemon.base_catalogue import CATALOGUE, Candidate, judged
from trainer.architecture import block_linears, empty_model, stored_parameters
from trainer.base_format import known_config
from trainer.base_making import stored_plan
from trainer.tensor_file import TensorFileWriter

GB = 1_000_000_000
KINDS = {"Qwen2": "qwen2", "Qwen3": "qwen3", "Mistral": "mistral", "SmolLM2": "llama"}


def named(repository: str) -> Candidate:
    return next(one for one in CATALOGUE if one.repository == repository)


def config_of(candidate: Candidate) -> dict[str, object]:
    geometry = candidate.geometry
    model = candidate.repository.partition("/")[2]
    return known_config(
        {
            "model_type": next(kind for name, kind in KINDS.items() if model.startswith(name)),
            "vocab_size": geometry.vocabulary,
            "hidden_size": geometry.hidden,
            "intermediate_size": geometry.feed_forward,
            "num_hidden_layers": geometry.layers,
            "num_attention_heads": geometry.heads,
            "num_key_value_heads": geometry.key_value_heads,
            "head_dim": geometry.head_size,
            "max_position_embeddings": candidate.context_tokens,
            "tie_word_embeddings": geometry.tied,
        }
    )


@pytest.mark.parametrize("candidate", CATALOGUE, ids=lambda one: one.repository)
def test_what_is_derived_of_a_geometry_is_what_the_model_code_says(candidate: Candidate) -> None:
    model = empty_model(config_of(candidate))  # nothing is allocated
    shapes, linears = stored_parameters(model), block_linears(model)
    sizes = TensorFileWriter(None, stored_plan(shapes, linears)).size  # type: ignore[arg-type]

    assert candidate.geometry.parameters == sum(map(math.prod, shapes.values()))
    assert candidate.geometry.weights_bytes == pytest.approx(sizes, rel=0.002)  # headers, tables
    assert REPOSITORY.fullmatch(candidate.repository)


def test_the_count_of_parameters_is_the_publisher_s() -> None:
    assert named("Qwen/Qwen3-4B-Instruct-2507").geometry.parameters == 4_022_468_096


@pytest.mark.parametrize(
    ("memory", "recommended"),
    [
        (1 * GB, None),
        (4 * GB, "Qwen/Qwen2.5-0.5B-Instruct"),
        (6 * GB, "Qwen/Qwen2.5-1.5B-Instruct"),
        (8 * GB, "Qwen/Qwen3-4B-Instruct-2507"),
        (16 * GB, "Qwen/Qwen2.5-7B-Instruct"),
        (1000 * GB, "Qwen/Qwen2.5-7B-Instruct"),
    ],
)
def test_the_largest_preferred_one_that_can_be_trained_is_recommended(
    memory: int, recommended: str | None
) -> None:
    found = [one.candidate.repository for one in judged(memory, compute_bytes=2) if one.recommended]

    assert found == ([recommended] if recommended else [])


def test_more_memory_never_makes_less_possible() -> None:
    possible = [
        sum(one.fit.serves + one.fit.trains for one in judged(gb * GB, compute_bytes=2))
        for gb in range(1, 25)
    ]

    assert possible == sorted(possible)
    assert possible[0] == 0
    assert possible[-1] == 2 * len(CATALOGUE)
