"""No library of the trainer goes to the network, nor says anything about it.

transformers and huggingface_hub read these variables once, at their import; bitsandbytes would
fetch a kernel from a hub at import where the package `kernels` is installed, and warns where it
is not. So this runs when the package `trainer` is imported, before any of them. A program that
downloads a base does so in a process of its own, without the trainer.
"""

import logging
import os
import sys

NOISY_AT_IMPORT = "bitsandbytes.backends.cpu.ops"  # "Failed to load CPU gemm_4bit_forward ..."


def go_offline() -> None:
    """Forbid hub access to every library that asks these variables, for this process."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TRANSFORMERS_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    if "huggingface_hub.constants" in sys.modules:  # somebody was earlier
        sys.modules["huggingface_hub.constants"].HF_HUB_OFFLINE = True  # type: ignore[attr-defined]
    logging.getLogger(NOISY_AT_IMPORT).setLevel(logging.ERROR)
