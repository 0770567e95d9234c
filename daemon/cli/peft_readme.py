"""The README.md of an exported adapter: what it is, whom it endangers, how it is loaded. Pure."""

from datetime import UTC, datetime
from typing import Any

from daemon.cli import text
from daemon.cli.peft_config import BaseReference, base_reference

Json = dict[str, Any]

WARNING = """\
**This adapter holds private text.** It was trained on what its owner wrote: whoever has it can
have it say what it learned, and can test whether a text was among it. Here it lies in clear. The
locks of nightloom's vault do not reach this folder, and when something is forgotten there, it
stays in here. Keep the folder on a sealed disk, give it to nobody whom you would not give your
notes, and delete it when you are done. `nightloom privacy audit` and `nightloom privacy forget`
name it as exported."""


def readme(facts: Json) -> str:
    """Markdown.

    Args:
        facts: what the service said of the adapter.
    """
    digest, lora = str(facts["sha256"]), facts["lora"]
    trained = datetime.fromtimestamp(float(facts["trained_at"]), UTC).strftime("%Y-%m-%d %H:%M UTC")
    rows = [
        ("sha256 of `adapter_model.safetensors`", f"`{digest}`"),
        ("trained from", f"`{facts['parent']}`" if facts["parent"] else "a fresh adapter"),
        ("trained", trained),
        ("documents seen", text.count(facts["documents"])),
        ("LoRA", _lora(lora)),
        ("base", _base(facts["base_model"])),
        ("identity of the base", f"`{facts['base']}`"),
    ]
    table = "\n".join(["| | |", "|---|---|", *(f"| {name} | {told} |" for name, told in rows)])
    return (
        "\n\n".join(
            [
                f"# Adapter {digest[:12]}",
                WARNING,
                table,
                "## Loading it",
                _loading(facts["base_model"]),
            ]
        )
        + "\n"
    )


def _lora(lora: Json) -> str:
    scaled = "alpha / sqrt(rank)" if lora["rslora"] else "alpha / rank"
    return f"rank {lora['rank']}, alpha {lora['alpha']:g}, scaled by {scaled}"


def _base(base: Json | None) -> str:
    if base is None:
        return "not on the machine that exported it"
    reference = base_reference(base)
    found = f" ({reference.name_or_path} at {reference.revision})" if reference.on_the_hub else ""
    return _plain(f"{base['model']}{found}")


def _plain(told: str) -> str:
    """Words of others as one cell of a table."""
    return text.printable(" ".join(told.split())).replace("|", "/").replace("`", "'")


def _loading(base: Json | None) -> str:
    reference = base_reference(base)
    if base is None:
        return (
            "Its base was not on the machine that exported it, so `base_model_name_or_path` is "
            "empty. It takes the base with the identity above."
        )
    return f"{_where(reference, str(base['name']))}\n\n```python\n{_code(reference)}```"


def _where(reference: BaseReference, name: str) -> str:
    if reference.on_the_hub:
        return (
            "With plain peft, transformers and bitsandbytes. The base comes from the hub in full "
            f"precision and is made 4-bit as it is loaded; `nightloom base export {name} DIR` "
            "writes the very numbers that the adapter was trained on, as a folder that "
            "transformers loads without the hub."
        )
    return (
        "With plain peft, transformers and bitsandbytes. `base_model_name_or_path` is the base's "
        f"folder on the machine that exported it; for another machine `nightloom base export {name}"
        " DIR` writes one that can be taken along."
    )


def _code(reference: BaseReference) -> str:
    """Python that sets `model` and `tokenizer`, run in the folder."""
    hub = reference.on_the_hub
    quantisation = """
    quantization_config=BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    ),"""
    return f"""\
import torch
from bitsandbytes.nn import Linear4bit
from peft import PeftConfig, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer{", BitsAndBytesConfig" if hub else ""}

folder = "."  # this one
config = PeftConfig.from_pretrained(folder)
name, revision = config.base_model_name_or_path, config.revision
base = AutoModelForCausalLM.from_pretrained(
    name,
    revision=revision,
    dtype=torch.bfloat16,{quantisation if hub else ""}
)
for layer in base.modules():  # else bitsandbytes rounds the weights anew on some CPUs
    if isinstance(layer, Linear4bit):
        layer.support_avx512bf16_for_cpu = False
model = PeftModel.from_pretrained(base, folder)
tokenizer = AutoTokenizer.from_pretrained(name, revision=revision)
"""
