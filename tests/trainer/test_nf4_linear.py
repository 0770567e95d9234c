"""Our 4-bit layer with its adapter, against peft around bitsandbytes' layer and against fp64."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import peft
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.trainer.nf4_matrices import matrix
from tests.trainer.stock import stock_layer
from trainer import nf4, nf4_function
from trainer.device import optimizer_for
from trainer.lora import known_warnings_silenced
from trainer.lora_linear import register
from trainer.nf4_function import Adapter, Part, linear
from trainer.nf4_linear import LinearShape, nf4_linear, quantise_linear

OUT, IN, RANK, SCALE = 192, 256, 8, 2.0
SHAPE = LinearShape(out_features=OUT, in_features=IN)
BF16, FP32 = torch.bfloat16, torch.float32

# Of the norm of what is exact. A rounding to bf16 changes a number by at most 2^-8 of itself, and
# by less than half of that in the mean square. y and dx see four that matter (weights, result, a
# factor of the adapter, its rows of rank), da and db likewise; as independent ones add in squares,
# all together stay below one 2^-8. In fp32 it is the sums that round, of up to 300 products.
BOUND = {BF16: 2**-8, FP32: 2**-20}
# Ours against the stock way's error: the same but for noise, and, where few rows go straight
# through the codes, for the bias (and without kernels the adapter) added after a rounding.
NOT_WORSE = 1.5

each_dtype = pytest.mark.parametrize("dtype", [BF16, FP32], ids=["bf16", "fp32"])


class Problem:
    """One layer with all that goes in, and what comes out exactly."""

    def __init__(self, rows: int, dtype: torch.dtype, *, bias: bool, adapter: bool) -> None:
        draw = torch.Generator().manual_seed(rows)

        def normal(*extents: int) -> torch.Tensor:
            return torch.randn(extents, generator=draw)

        self.dtype = dtype
        self.stored = quantise_linear(normal(OUT, IN) / 16)
        self.x, self.dy = normal(rows, IN).to(dtype), normal(rows, OUT).to(dtype)
        self.bias = normal(OUT).to(dtype) if bias else None
        self.a: torch.Tensor | None = None
        self.b: torch.Tensor | None = None
        if adapter:
            self.a, self.b = normal(RANK, IN) / 16, normal(OUT, RANK) / 4

    def ours(self, dropout: float = 0.0) -> torch.nn.Module:
        layer = nf4_linear(
            self.stored, SHAPE, bias=self.bias, compute_dtype=self.dtype, device=torch.device("cpu")
        )
        return self._adapted(layer, dropout)

    def stock(self, dropout: float = 0.0) -> torch.nn.Module:
        layer = stock_layer(self.stored, SHAPE, bias=self.bias, dtype=self.dtype)
        return self._adapted(layer, dropout)

    def exact(self, mask: torch.Tensor | None = None) -> tuple[torch.Tensor, ...]:
        """y, dx, da and db in fp64; `mask` is what dropout makes of ones."""
        weights = self._weights()
        x, dy = self.x.double().requires_grad_(True), self.dy.double()
        y = x @ weights.T
        factors: list[torch.Tensor] = []
        if self.bias is not None:
            y = y + self.bias.double()
        if self.a is not None and self.b is not None:
            factors = [one.double().requires_grad_(True) for one in (self.a, self.b)]
            kept = x if mask is None else x * mask.double()
            y = y + SCALE * (kept @ factors[0].T) @ factors[1].T
        return y.detach(), *torch.autograd.grad(y, [x, *factors], dy)

    def found(self, layer: torch.nn.Module) -> tuple[torch.Tensor, ...]:
        """y, dx, da and db of a layer in train mode."""
        x = self.x.clone().requires_grad_(True)
        factors = [p for name, p in layer.named_parameters() if "lora_" in name]
        y = layer(x)
        return y.detach(), *torch.autograd.grad(y, [x, *factors], self.dy)

    def _weights(self) -> torch.Tensor:
        layer = nf4_linear(
            self.stored, SHAPE, bias=None, compute_dtype=FP32, device=torch.device("cpu")
        )
        weights: torch.Tensor = layer.matrix.dequantise(FP32).double()  # type: ignore[union-attr,operator]
        return weights

    def _adapted(self, layer: torch.nn.Module, dropout: float) -> torch.nn.Module:
        if self.a is None or self.b is None:
            return layer
        house = torch.nn.ModuleDict({"layer": layer})
        house.is_loaded_in_4bit = True  # type: ignore[assignment]
        config = peft.LoraConfig(
            r=RANK, lora_alpha=int(SCALE * RANK), lora_dropout=dropout, target_modules=["layer"]
        )
        register(config)
        with known_warnings_silenced():
            peft.inject_adapter_in_model(config, house)
        adapted: Any = house["layer"]
        for factors, value in ((adapted.lora_A, self.a), (adapted.lora_B, self.b)):
            factors["default"].weight.data = value.clone()  # fp32, as both ways train it
        trained: torch.nn.Module = adapted.train()
        return trained


def errors(found: Sequence[torch.Tensor], exact: Sequence[torch.Tensor]) -> list[float]:
    return [
        float((one.double() - right).norm() / right.norm())
        for one, right in zip(found, exact, strict=True)
    ]


@each_dtype
@pytest.mark.parametrize("rows", [1, 16, 17, 300])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("adapter", [True, False])
def test_output_and_gradients_are_right_and_no_worse_than_the_stock_way(
    dtype: torch.dtype, rows: int, bias: bool, adapter: bool
) -> None:
    problem = Problem(rows, dtype, bias=bias, adapter=adapter)
    exact, ours, stock = problem.exact(), problem.ours(), problem.stock()

    with torch.autocast("cpu", BF16, enabled=dtype == BF16):  # as QLoRA trains
        of_stock = errors(problem.found(stock), exact)
    found = errors(problem.found(ours), exact)
    with torch.no_grad():  # few rows go another way now
        found += errors([ours(problem.x)], exact[:1])
        of_stock += errors([stock(problem.x)], exact[:1])

    assert len(found) == (5 if adapter else 3)
    assert max(found) < BOUND[dtype]
    for one, other in zip(found, of_stock, strict=True):
        assert one <= NOT_WORSE * other + BOUND[FP32] / 8


@each_dtype
@pytest.mark.parametrize("rows", [1, 17])
def test_dropout_is_that_of_peft(dtype: torch.dtype, rows: int) -> None:
    """The same seed drops the same numbers, before the adapter only."""
    problem = Problem(rows, dtype, bias=True, adapter=True)
    results = []
    for layer in (problem.ours(dropout=0.4), problem.stock(dropout=0.4)):
        torch.manual_seed(7)
        results.append(problem.found(layer))
    torch.manual_seed(7)
    exact = problem.exact(mask=torch.nn.functional.dropout(torch.ones_like(problem.x), 0.4))

    assert max(errors(results[0], exact)) < BOUND[dtype]
    assert max(errors(results[1], exact)) < BOUND[dtype]
    layer = problem.ours(dropout=0.4).eval()
    assert errors(problem.found(layer), problem.exact())[0] < BOUND[dtype]


@each_dtype
@pytest.mark.parametrize("rows", [3, 40])
@pytest.mark.parametrize("room", [nf4_function.ROOM_WEIGHTS, 64 * 64])
def test_layers_side_by_side_are_each_what_they_are_alone(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, rows: int, room: int
) -> None:
    """Also where their weights do not fit into the room together."""
    monkeypatch.setattr(nf4_function, "ROOM_WEIGHTS", room)
    x, sizes = torch.randn((rows, 64)).to(dtype), (64, 32, 16)
    parts = [
        Part(
            matrix(size, 64, seed=size).ours,
            torch.randn(size).to(dtype),
            Adapter(
                torch.randn(4 + size // 16, 64).requires_grad_(True),
                torch.randn(size, 4 + size // 16).requires_grad_(True),
                0.5 + size / 64,
            ),
        )
        for size in sizes
    ]
    factors = [
        factor for part in parts if part.adapter for factor in (part.adapter.a, part.adapter.b)
    ]
    dy = torch.randn((rows, sum(sizes))).to(dtype)

    def run(*groups: Sequence[Part]) -> list[torch.Tensor]:
        with torch.no_grad():
            answered = torch.cat([linear(x, *group) for group in groups], dim=1)
        wide = x.double().requires_grad_(True)  # so that the three dx are added exactly
        y = torch.cat([linear(wide.to(dtype), *group) for group in groups], dim=1)
        return [answered, y.detach(), *torch.autograd.grad(y, [wide, *factors], dy)]

    together, alone = run(parts), run(*([part] for part in parts))
    for one, other in zip(together, alone, strict=True):
        assert one.shape == other.shape
        assert errors([one], [other])[0] < BOUND[dtype]


# --------------------------------------------------------------------------- what it does not do


@contextmanager
def counting_saved() -> Iterator[list[torch.Tensor]]:
    """What autograd keeps for the way back."""
    saved: list[torch.Tensor] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        saved.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield saved


@each_dtype
@pytest.mark.parametrize("rows", [1, 17])
def test_only_the_input_is_kept_for_the_way_back(dtype: torch.dtype, rows: int) -> None:
    problem = Problem(rows, dtype, bias=True, adapter=True)
    layer = problem.ours()
    x = problem.x.clone().requires_grad_(True)
    ours = {x.data_ptr(), *(p.data_ptr() for p in layer.parameters())}
    with counting_saved() as saved:
        y = layer(x)
    assert x.data_ptr() in [tensor.data_ptr() for tensor in saved]
    assert {tensor.data_ptr() for tensor in saved} <= ours
    y.backward(problem.dy)
    assert x.grad is not None


class _Sizes(TorchDispatchMode):
    """Counts elements of whatever an operation makes, floating point and not a view."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.made: list[int] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = {one.data_ptr() for one in args if isinstance(one, torch.Tensor)}
        for one in result if isinstance(result, tuple) else (result,):
            if isinstance(one, torch.Tensor) and one.data_ptr() not in given:
                self.made.append(one.numel())
        return result


@pytest.mark.skipif(not nf4.paths(), reason="without kernels bitsandbytes makes a copy")
@pytest.mark.parametrize("adapter", [True, False])
def test_nothing_as_large_as_the_weights_is_made_but_the_room_for_them(adapter: bool) -> None:
    """So there is no gradient of the weights, and no second copy of them; the stock way shows
    that both would be seen."""
    problem = Problem(17, BF16, bias=True, adapter=adapter)
    ours, stock = problem.ours(), problem.stock()
    problem.found(ours)  # makes the room
    with _Sizes() as sizes:
        problem.found(ours)
    assert sizes.made
    assert max(sizes.made) < OUT * IN
    with _Sizes() as sizes:
        problem.found(stock)
    assert max(sizes.made) >= OUT * IN


def test_weights_and_codes_want_and_get_no_gradient() -> None:
    problem = Problem(17, FP32, bias=True, adapter=True)
    layer = problem.ours()
    problem.found(layer)
    learning = {name for name, p in layer.named_parameters() if p.requires_grad}
    assert learning == {"lora_A.default.weight", "lora_B.default.weight"}
    assert all(p.grad is None for p in layer.parameters())


@pytest.mark.parametrize("rows", [1, 17, 300])
def test_answers_leave_the_layer_as_it_was_so_that_it_can_go_on_learning(rows: int) -> None:
    """bitsandbytes' own layer repacks its weights at such a forward."""
    problem = Problem(rows, BF16, bias=False, adapter=True)
    layer = problem.ours()
    before, codes = problem.found(layer), layer.base_layer.weight.clone()  # type: ignore[union-attr,operator]
    with torch.no_grad():
        layer.eval()(problem.x)
        layer.train()
    after = problem.found(layer)
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert torch.equal(layer.base_layer.weight, codes)  # type: ignore[union-attr,arg-type]


def test_an_answer_follows_every_change_of_the_adapter() -> None:
    """What the kernels keep of an adapter is made anew after a step and after a load."""
    problem = Problem(2, BF16, bias=False, adapter=True)
    layer = problem.ours()
    factors = [p for name, p in layer.named_parameters() if "lora_" in name]
    optimizer = optimizer_for(factors, learning_rate=0.1, device=torch.device("cpu"))

    def answer() -> torch.Tensor:
        with torch.no_grad():
            found: torch.Tensor = layer(problem.x)
        return found

    def exact() -> torch.Tensor:
        problem.a, problem.b = (p.detach().clone() for p in factors)
        return problem.exact()[0]

    def step() -> None:
        for factor in factors:
            factor.grad = torch.randn_like(factor)
        optimizer.step()

    def load() -> None:
        with torch.no_grad():
            for factor in factors:
                factor.copy_(torch.randn_like(factor))

    for change in (step, step, load, step):
        before = answer()
        change()
        assert errors([answer()], [exact()])[0] < 2 * BOUND[BF16]  # the adapter is most of it
        assert errors([before], [exact()])[0] > 10 * BOUND[BF16]


def test_any_leading_extents_go_through() -> None:
    problem = Problem(24, BF16, bias=True, adapter=True)
    layer = problem.ours()
    y = layer(problem.x)
    assert torch.equal(layer(problem.x.view(2, 3, 4, IN)), y.view(2, 3, 4, OUT))
    turned = problem.x.view(4, 6, IN).transpose(0, 1)
    torch.testing.assert_close(layer(turned), y.view(4, 6, OUT).transpose(0, 1))
