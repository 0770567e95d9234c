# ruff: noqa: N818 - `SidesDisagree` says what happened; `SidesDisagreeError` says it twice
"""What can go wrong in a bench. The docstring of an error is the user's sentence.

BenchError
├── MemoryTooSmall
├── SideDied
├── SideFailed
└── SidesDisagree
"""

from trainer.errors import TrainerError


class BenchError(TrainerError):
    """The bench could not be finished."""


class MemoryTooSmall(BenchError):
    """This bench needs about {} GB of memory and {} GB are free; {}."""


class SideDied(BenchError):
    """The process that measures {} ended too early, most likely for want of memory; close other
    programs or choose a smaller geometry."""


class SideFailed(BenchError):
    """Measuring {} failed ({}); please report this line."""


class SidesDisagree(BenchError):
    """Ours and the stock way computed different things ({} differs by {}), so their times cannot be
    compared; please report this line."""
