"""A base's tokenizer: text to ids and ids to bytes, with marks that no text can forge.

A mark is any added token: the begin and end of a text, the roles of a chat. Marks come from the
base's own settings and its chat template only; where a person's text spells one, the letters are
encoded as letters. Templates are hostile input and rendered by transformers' sandbox; tokenizer
classes named by a base are ignored, `tokenizer.json` says all. Knows nothing of the model.
"""

import json
import re
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from trainer.base_format import (
    TEMPLATE_FILE,
    TOKENIZER_CONFIG_FILE,
    TOKENIZER_FILE,
    Config,
    read_json,
    read_small,
)
from trainer.errors import BadMessages, BaseDamaged, BaseWantsCode, UnsupportedTokenizer
from trainer.stock_models import PreTrainedTokenizerFast
from trainer.token_bytes import TokenBytes

ROLES = ("system", "user", "assistant")
NAMED_MARKS = ("bos_token", "eos_token", "pad_token", "unk_token")
# For a base that never learned to chat: turns as a page of dialogue.
PLAIN_TEMPLATE = (
    "{{ bos_token or '' }}"
    "{% for message in messages %}"
    "{{ message['role'] | capitalize + ': ' + message['content'] + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
PLAIN_TURN_STOPS = ("\nUser:", "\nSystem:")
TRIAL_CHATS = (
    (("user", "a"), ("assistant", "b"), ("user", "c")),
    (("system", "s"), ("user", "a")),
)


class BaseTokenizer:
    """The tokenizer of one base.

    Attributes:
        begin_id: the mark before a text, if the base has one.
        end_id: the mark after a text, if the base has one.
        stop_ids: marks after which an answer is over: ends, and every mark of the chat template.
        vocabulary: ids from here on stand for nothing; the model's table may be longer.
        plain_template: the base has no chat template, so a plain one is used; worth a warning.
        turn_stops: stop strings that end an answer where the template has no marks.
    """

    def __init__(
        self, backend: PreTrainedTokenizerFast, *, config_ends: Iterable[int], plain_template: bool
    ) -> None:
        self._hf = backend
        self._backend: Tokenizer = backend.backend_tokenizer
        added = self._backend.get_added_tokens_decoder()
        self._marks = frozenset(added)
        self._special = frozenset(id_ for id_, token in added.items() if token.special)
        self._names = {id_: added[id_].content for id_ in self._special}
        self._bytes = TokenBytes(self._backend, literal={i: t.content for i, t in added.items()})
        self.plain_template = plain_template
        self.turn_stops = PLAIN_TURN_STOPS if plain_template else ()
        self.vocabulary: int = self._backend.get_vocab_size(with_added_tokens=True)
        self.begin_id: int | None = backend.bos_token_id
        self.end_id: int | None = backend.eos_token_id
        ends = {*config_ends} | ({self.end_id} if self.end_id is not None else set())
        self.stop_ids = frozenset(ends | self._template_marks())

    @property
    def starts_with_space(self) -> bool:
        """Whether decoding drops one space at the beginning of a text."""
        return self._bytes.drops_first_space

    def token_bytes(self, token: int) -> bytes:
        """The bytes a token stands for; none for special marks and ids beyond the vocabulary."""
        return b"" if token in self._special else self._bytes.of(token)

    def mark_name(self, token: int) -> str:
        """How the base writes a special mark; nothing of other tokens."""
        return self._names.get(token, "")

    def encode_text(self, text: str) -> list[int]:
        """Tokens of a text alone; spelled marks stay letters."""
        ids: list[int] = []
        for piece, forged in self._pieces(text):
            ids += self._letters(piece) if forged else self._encode(piece)
        return ids

    def encode_prompt(self, text: str) -> list[int]:
        """Begin mark (if the base has one) and the text's tokens."""
        begin = [] if self.begin_id is None else [self.begin_id]
        return begin + self.encode_text(text)

    def encode_document(self, text: str) -> list[int]:
        """Begin mark, the text's tokens, end mark; marks as far as the base has them."""
        end = [] if self.end_id is None else [self.end_id]
        return self.encode_prompt(text) + end

    def encode_chat(self, messages: Sequence[tuple[str, str]], *, reply_follows: bool) -> list[int]:
        """(role, content) pairs through the chat template.

        Marks spelled in contents stand in the rendered page as placeholders, so the page is
        encoded in one go as the base learned it, except exactly where somebody spelled a mark.

        Raises:
            BadMessages: no messages, an unknown role, or an order that the template refuses.
        """
        if not messages:
            raise BadMessages("it has no messages")
        if any(role not in ROLES for role, _ in messages):
            raise BadMessages(f"roles are {', '.join(ROLES)}")
        nonce = secrets.token_hex(8)
        forgeries: list[str] = []

        def disarmed(content: str) -> str:
            safe = ""
            for piece, forged in self._pieces(content):
                if forged:
                    safe += f"\U000f0000{nonce}.{len(forgeries)}\U000f0001"
                    forgeries.append(piece)
                else:
                    safe += piece
            return safe

        turns = [{"role": role, "content": disarmed(content)} for role, content in messages]
        page = self._render(turns, reply_follows=reply_follows)
        parts = re.split(f"\U000f0000{nonce}\\.(\\d+)\U000f0001", page)
        ids = self._encode(parts[0])
        for number, text in zip(parts[1::2], parts[2::2], strict=True):
            ids += self._letters(forgeries[int(number)]) + self._encode(text)
        return ids

    def _render(self, turns: list[dict[str, str]], *, reply_follows: bool) -> str:
        try:
            page = self._hf.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=reply_follows
            )
        except Exception:  # whatever a stranger's template does; its words may quote the user
            raise BadMessages("the base's chat template refuses it") from None
        assert isinstance(page, str)
        return page

    def _template_marks(self) -> set[int]:
        """Special tokens with which the template divides a chat."""
        found: set[int] = set()
        for chat in TRIAL_CHATS:
            try:
                found |= set(self.encode_chat(chat, reply_follows=True)) & self._special
            except BadMessages:
                continue  # a template may refuse a system turn
        return found

    def _encode(self, text: str) -> list[int]:
        """Tokens of a text in which marks count."""
        self._backend.encode_special_tokens = False
        return list(self._backend.encode(text, add_special_tokens=False).ids) if text else []

    def _pieces(self, text: str) -> list[tuple[str, bool]]:
        """Divide a text into (piece, whether it spells a mark), as the tokenizer itself sees it."""
        if not text:
            return []
        self._backend.encode_special_tokens = False
        encoding = self._backend.encode(text, add_special_tokens=False)
        pieces, at = [], 0
        for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
            if token in self._marks:
                pieces += [(text[at:start], False), (text[start:end], True)]
                at = end
        return [piece for piece in [*pieces, (text[at:], False)] if piece[0]]

    def _letters(self, text: str) -> list[int]:
        """Tokens of a spelled mark, none of which is a mark."""
        self._backend.encode_special_tokens = True
        ids = list(self._backend.encode(text, add_special_tokens=False).ids)
        if self._marks.isdisjoint(ids):
            return ids
        if len(text) == 1:
            return [token for token in ids if token not in self._marks]
        middle = len(text) // 2
        return self._letters(text[:middle]) + self._letters(text[middle:])


def token_settings(folder: Path) -> dict[str, str]:
    """The named marks and the chat template of a folder, from wherever it keeps them.

    Raises:
        BaseWantsCode: the tokenizer asks for code of its own.
        BaseDamaged: a setting is malformed.
    """
    raw: dict[str, Any] = {}
    if (folder / TOKENIZER_CONFIG_FILE).is_file():
        raw = read_json(folder / TOKENIZER_CONFIG_FILE)
    if raw.get("auto_map"):
        raise BaseWantsCode(f"auto_map in {TOKENIZER_CONFIG_FILE}")
    settings: dict[str, str] = {}
    for name in NAMED_MARKS:
        mark = raw.get(name)
        mark = mark.get("content") if isinstance(mark, dict) else mark
        if isinstance(mark, str):
            settings[name] = mark
        elif mark is not None:
            raise BaseDamaged(TOKENIZER_CONFIG_FILE, f"{name} is malformed")
    template = raw.get("chat_template")
    if isinstance(template, list):  # several by name; the one for plain chats is "default"
        named = {one.get("name"): one.get("template") for one in template if isinstance(one, dict)}
        template = named.get("default")
    if (folder / TEMPLATE_FILE).is_file():
        try:
            template = read_small(folder / TEMPLATE_FILE).decode("utf-8")
        except UnicodeDecodeError as error:
            raise BaseDamaged(TEMPLATE_FILE, "it is no UTF-8") from error
    if isinstance(template, str):
        settings["chat_template"] = template
    return settings


def load_tokenizer(folder: Path, config: Config) -> BaseTokenizer:
    """Load the tokenizer of a base folder.

    Raises:
        BaseMissing, BaseDamaged, BaseWantsCode, UnsupportedTokenizer
    """
    read_small(folder / TOKENIZER_FILE)
    settings = token_settings(folder)
    plain = "chat_template" not in settings
    settings.setdefault("chat_template", PLAIN_TEMPLATE)
    try:
        backend = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    except Exception as error:  # tokenizers raises nothing narrower
        raise BaseDamaged(TOKENIZER_FILE, "it is no tokenizer") from error
    backend.no_truncation()
    backend.no_padding()
    known = backend.get_vocab(with_added_tokens=True)
    if strangers := [name for name in NAMED_MARKS if settings.get(name, "") not in {*known, ""}]:
        raise BaseDamaged(TOKENIZER_CONFIG_FILE, f"{strangers[0]} is not in the vocabulary")
    if max(known.values(), default=0) >= config["vocab_size"]:
        raise BaseDamaged(TOKENIZER_FILE, "it has more tokens than the model")
    ends = config.get("eos_token_id")
    ends = ends if isinstance(ends, list) else [ends]
    hf = PreTrainedTokenizerFast(tokenizer_object=backend, **_unset_marks() | settings)
    try:
        return BaseTokenizer(
            hf, config_ends=[end for end in ends if end is not None], plain_template=plain
        )
    except (ValueError, KeyError, json.JSONDecodeError) as error:
        raise UnsupportedTokenizer("its tokens cannot be turned into bytes") from error


def _unset_marks() -> dict[str, None]:
    """So that transformers puts none of its own in place of those that a base does not have."""
    return dict.fromkeys(NAMED_MARKS)
