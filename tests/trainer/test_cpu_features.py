"""What the processor says of itself, against torch's own look at it."""

import platform
from pathlib import Path

import pytest
import torch

from trainer import cpu_features

LINUX_X86 = platform.system() == "Linux" and platform.machine() == "x86_64"


@pytest.mark.skipif(not LINUX_X86, reason="torch asks x86 processors only")
def test_bf16_is_found_as_torch_finds_it() -> None:
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    found = any(getattr(torch.cpu, check)() for check in checks)

    assert cpu_features.multiplies_bf16() is found


@pytest.mark.parametrize(
    ("cpuinfo", "found"),
    [
        ("flags\t\t: fpu avx2 avx512f avx512_bf16\n", True),
        ("flags\t\t: fpu avx2 amx_bf16\n", True),
        ("flags\t\t: fpu avx2 avx512f\n", False),
        ("Features\t: fp asimd i8mm bf16\n", True),
        ("Features\t: fp asimd\n", False),
        ("", False),
    ],
)
def test_the_words_that_count(cpuinfo: str, found: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: cpuinfo)

    assert cpu_features.multiplies_bf16() is found


def test_a_system_without_such_a_file_computes_in_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", gone)

    assert not cpu_features.multiplies_bf16()
    assert cpu_features.name()
