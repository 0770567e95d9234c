"""Tokens in, whole characters out, as soon as they are whole.

A character may be spread over several tokens: its bytes wait until it is complete. Bytes that
are no UTF-8 become U+FFFD, as in the tokenizer's own decoding. Knows nothing of models.
"""

import codecs

from trainer.base_tokenizer import BaseTokenizer


class Detokeniser:
    """One running text."""

    def __init__(self, tokenizer: BaseTokenizer) -> None:
        self._tokenizer = tokenizer
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._drop_space = tokenizer.starts_with_space

    @property
    def cut(self) -> bool:
        """Whether the tokens so far end within a character."""
        return bool(self._utf8.getstate()[0])

    @property
    def at_start(self) -> bool:
        """Whether a space that comes now is not shown."""
        return self._drop_space and not self.cut

    def push(self, token: int) -> str:
        """Characters that are complete with this token; often none."""
        return self._shown(self._utf8.decode(self._tokenizer.token_bytes(token)))

    def finish(self) -> str:
        """What still waits at the end: a cut character, as U+FFFD."""
        return self._shown(self._utf8.decode(b"", final=True))

    def _shown(self, text: str) -> str:
        if self._drop_space and text:
            self._drop_space = False
            return text.removeprefix(" ")
        return text
