"""Keys and values of rows that are decoded together, in rooms with some space behind them.

A step then copies only what it adds. A room grows by a sixteenth, because it is what a long context
takes of memory (half a megabyte a token on a 7B); making it anew is less than 1 % of the steps
between.
"""

from collections.abc import Sequence

import torch

ROOM_TOKENS = 128  # a room grows by at least this much
ROOM_SHARE = 16  # and by one in so many


class KvCache:
    """For each block (rows, heads, room, size) of keys and of values, filled up to `length`.

    Args:
        expected: tokens that will come at least, as in a prompt that is read in pieces: room is
            made for them at once, because rooms that were left behind stay in the heap.
    """

    def __init__(
        self, blocks: int, heads: int, size: int, dtype: torch.dtype, *, expected: int = 0
    ) -> None:
        self._expected = expected
        self._blocks, self._heads, self._size, self._dtype = blocks, heads, size, dtype
        self._keys: list[torch.Tensor] = []
        self._values: list[torch.Tensor] = []
        self.length = 0

    def make_room(self, rows: int, more: int) -> None:
        """Let `more` tokens fit behind those that are there."""
        wanted = self.length + more
        room = self._keys[0].shape[2] if self._keys else 0
        if wanted <= room:
            return
        wanted = max(wanted, self._expected)
        room = wanted + max(ROOM_TOKENS, wanted // ROOM_SHARE)
        for kept in (self._keys, self._values):
            for block in range(self._blocks):
                shape = (rows, self._heads, room, self._size)
                larger = torch.empty(shape, dtype=self._dtype)
                if self.length:
                    larger[:, :, : self.length] = kept[block][:, :, : self.length]
                    kept[block] = larger
                else:
                    kept[block : block + 1] = [larger]

    def append(
        self, block: int, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Put (rows, heads, new, size) behind what is there; `length` stays until `advance`.

        Returns:
            All keys and all values: (rows, heads, length + new, size), views.
        """
        end = self.length + keys.shape[2]
        self._keys[block][:, :, self.length : end] = keys
        self._values[block][:, :, self.length : end] = values
        return self._keys[block][:, :, :end], self._values[block][:, :, :end]

    def advance(self, new: int) -> None:
        """All blocks have appended so many tokens."""
        self.length += new

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all rows but these, which move up in this order."""
        places = torch.tensor(rows, dtype=torch.int64)
        for kept in (self._keys, self._values):
            for block, tensor in enumerate(kept):
                kept[block] = tensor[places]
