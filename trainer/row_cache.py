"""Keys and values of one row, in pages that rows can share.

A page holds 128 tokens of all blocks. Rows only add to their own last page; full ones never change,
so a row that begins like another takes the other's pages instead of reading the same tokens again,
and nothing is copied when a row grows. Bytes are counted here, and only here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from trainer.nf4 import PAGE_TOKENS


@dataclass(slots=True, eq=False)
class Page:
    """(blocks, 2, key heads, `PAGE_TOKENS`, size): keys and values."""

    tensor: torch.Tensor = field(repr=False)
    users: int = 1


class PagePool:
    """Makes pages, and knows how many there are."""

    def __init__(self, blocks: int, heads: int, size: int, dtype: torch.dtype) -> None:
        self._shape = (blocks, 2, heads, PAGE_TOKENS, size)
        self._dtype = dtype
        self.page_bytes = torch.Size(self._shape).numel() * dtype.itemsize
        self.pages = 0

    def take(self) -> Page:
        """A new page; what is in it is arbitrary."""
        self.pages += 1
        return Page(torch.empty(self._shape, dtype=self._dtype))

    def share(self, page: Page) -> Page:
        """The same page, with one user more."""
        page.users += 1
        return page

    def release(self, page: Page, *, wipe: bool = False) -> None:
        """One user less; with the last its memory goes back.

        Args:
            wipe: overwrite it first, if nobody else uses it.
        """
        page.users -= 1
        if page.users == 0:
            self.pages -= 1
            if wipe:
                page.tensor.zero_()


class RowCache:
    """The pages of one row, filled up to `length`."""

    def __init__(self, pool: PagePool) -> None:
        self._pool = pool
        self.pages: list[Page] = []
        self.length = 0

    @property
    def tensors(self) -> list[torch.Tensor]:
        return [page.tensor for page in self.pages]

    def make_room(self, more: int) -> None:
        """Let `more` tokens fit behind those that are there."""
        for _ in range(self.pages_for(more)):
            self.pages.append(self._pool.take())

    def pages_for(self, more: int) -> int:
        """How many pages that will take."""
        return max(0, -(-(self.length + more) // PAGE_TOKENS) - len(self.pages))

    def put(self, block: int, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Put (heads, new, size) behind what is there; `length` stays until all blocks have."""
        done = 0
        while done < keys.shape[1]:
            page, at = divmod(self.length + done, PAGE_TOKENS)
            some = min(PAGE_TOKENS - at, keys.shape[1] - done)
            of_page = self.pages[page].tensor[block]
            of_page[0, :, at : at + some] = keys[:, done : done + some]
            of_page[1, :, at : at + some] = values[:, done : done + some]
            done += some

    def seen(self, block: int, first: int, end: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values of tokens first ... end in one piece each: (heads, end - first, size)."""
        start, last = first // PAGE_TOKENS, -(-end // PAGE_TOKENS)
        pages = [page.tensor[block] for page in self.pages[start:last]]
        whole = pages[0] if len(pages) == 1 else torch.cat(pages, dim=2)
        whole = whole[:, :, first - start * PAGE_TOKENS : end - start * PAGE_TOKENS]
        return whole[0], whole[1]

    def adopt(self, pages: Sequence[Page], length: int) -> None:
        """Have the first `length` tokens of another row instead of what is there.

        A page that is not full is copied, since both rows will add to it.
        """
        full = length // PAGE_TOKENS
        taken = [self._pool.share(page) for page in pages[:full]]
        if length % PAGE_TOKENS:
            copy = self._pool.take()
            copy.tensor.copy_(pages[full].tensor)
            taken.append(copy)
        self.release()
        self.pages, self.length = taken, length

    def hand_over(self) -> list[Page]:
        """Give all pages away; the row has none any more."""
        pages, self.pages, self.length = self.pages, [], 0
        return pages

    def release(self, *, wipe: bool = False) -> None:
        """Give all pages back."""
        for page in self.hand_over():
            self._pool.release(page, wipe=wipe)
