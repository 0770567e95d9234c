"""An exported adapter in PEFT's words: its `adapter_config.json`, as a value. Pure.

Only fields that peft's `LoraConfig` knows, so that no version of it warns; what it has no field
for stands under `auto_mapping`, which peft keeps and does not read where there is a task type.
"""

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

HUB = "hub:"  # an origin of a base: hub:REPOSITORY@COMMIT
CLASSES = {
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseReference:
    """Where others find the base."""

    name_or_path: str | None  # a repository on the hub or a folder; None: it is not on this machine
    revision: str | None  # of the repository

    @property
    def on_the_hub(self) -> bool:
        return self.revision is not None


def base_reference(base: Json | None) -> BaseReference:
    """The hub's name of a base that came from there, else its folder, which transformers loads.

    Args:
        base: what the service said of it.
    """
    if base is None:
        return BaseReference(name_or_path=None, revision=None)
    origin = str(base["origin"])
    repository, at, commit = origin.removeprefix(HUB).rpartition("@")
    if origin.startswith(HUB) and at:
        return BaseReference(name_or_path=repository, revision=commit)
    return BaseReference(name_or_path=str(base["folder"]), revision=None)


def peft_config(facts: Json) -> Json:
    """The config of an adapter.

    Args:
        facts: what the service said of it. Raises KeyError, TypeError where that is not whole.
    """
    lora, base = facts["lora"], facts["base_model"]
    reference = base_reference(base)
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": reference.name_or_path,
        "revision": reference.revision,
        "inference_mode": True,
        "r": lora["rank"],
        "lora_alpha": _whole(lora["alpha"]),
        "lora_dropout": lora["dropout"],
        "use_rslora": lora["rslora"],
        "target_modules": sorted(facts["target_modules"]),
        "bias": "none",
        "fan_in_fan_out": False,
        "modules_to_save": None,
        "auto_mapping": {
            **_class(base),
            "nightloom": {
                "adapter_sha256": facts["sha256"],
                "adapter_parent": facts["parent"],
                "base_identity": facts["base"],
                "base_name": None if base is None else base["model"],
                "base_origin": None if base is None else base["origin"],
            },
        },
    }


def _class(base: Json | None) -> Json:
    """What PEFT itself writes there."""
    kind = None if base is None else base["architecture"]
    if kind not in CLASSES:
        return {"base_model_class": None, "parent_library": None}
    return {
        "base_model_class": CLASSES[kind],
        "parent_library": f"transformers.models.{kind}.modeling_{kind}",
    }


def _whole(number: float) -> float:
    """PEFT's alphas are mostly whole."""
    return int(number) if number == int(number) else number
