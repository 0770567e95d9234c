"""What the doctor makes of its readings."""

from dataclasses import replace

import pytest

from daemon.doctor import Readings, findings

WELL = Readings(
    mistakes=None, vault=True, serving=True, processor="Some CPU", bf16=True,
    kernels="avx512bf16", threads=2, memory_bytes=16_000_000_000, free_bytes=9_000_000_000,
    disk_free_bytes=50_000_000_000, base="builtin", base_problem=None, tokens_per_night=3.04e7,
)  # fmt: skip


def test_where_all_is_well_nothing_is_advised() -> None:
    found = findings(WELL)

    assert not any(one.advice for one in found)
    assert False not in [one.holds for one in found]
    said = {one.name: one.value for one in found}
    assert said["memory"] == "16.0 GB, 9.0 GB free now"
    assert said["a night of 8 hours"] == "about 30.4 million tokens"
    assert said["4-bit kernels"] == "avx512bf16"


@pytest.mark.parametrize(
    ("name", "wrong", "holds", "advice"),
    [
        ("configuration", replace(WELL, mistakes="line 3: no"), False, "line 3: no"),
        ("vault", replace(WELL, vault=False), False, "nightloom init"),
        ("service", replace(WELL, serving=False), None, "nightloom run"),
        ("processor", replace(WELL, bf16=False), None, "fp32"),
        ("4-bit kernels", replace(WELL, kernels="bitsandbytes"), False, "compiler"),
        ("disk", replace(WELL, disk_free_bytes=1_999_999_999), False, "2.0 GB"),
        ("base", replace(WELL, base_problem="It takes 9 GB."), False, "It takes 9 GB."),
    ],
)
def test_each_thing_that_is_wrong_is_named_alone(
    name: str, wrong: Readings, holds: bool | None, advice: str
) -> None:
    found = {one.name: one for one in findings(wrong)}

    assert found[name].holds is holds
    assert advice in found[name].advice
    well = {one.name: one for one in findings(WELL)}
    assert [other for other in found if found[other] != well[other]] == [name]
