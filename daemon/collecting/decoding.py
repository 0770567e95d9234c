"""Bytes of a text file to text: byte order marks, UTF-8, UTF-16, else a guess. Pure.

Newlines become `\\n` and the mark goes; nothing else about the text is changed.
"""

import codecs

from daemon.collecting.skipping import SkipReason

# UTF-32 first: its little-endian mark begins with that of UTF-16.
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_FIRST_SIGNS = tuple({mark[:1] for mark, _ in MARKS})
# all but backspace, white space and escape; none is a part of a longer character in UTF-8
_CONTROL_BYTES = bytes(set(range(32)) - set(b"\b\t\n\v\f\r\x1b")) + b"\x7f"
_CONTROL_SHARE = 0.005  # of the characters; prose has none, binary files about a tenth
_SAMPLE_BYTES = 64 * 1024  # enough to guess by, and keeps a guess under 50 ms
# What people have. Of those that fit nearly as well as the best, the first is taken: Western text
# is far more common than Baltic. Rarer encodings would only be taken for these by mistake.
_COMMON = (
    *("cp1252", "cp1251", "cp1250", "koi8_r", "koi8_u", "cp1253", "cp1254", "cp1255", "cp1256"),
    *("cp1257", "cp1258", "cp874", "iso8859_2", "cp437", "cp850", "cp852", "cp866", "mac_roman"),
    *("cp932", "euc_jp", "iso2022_jp", "gb18030", "big5", "cp949"),
)
_NEARLY_CHAOS = 0.02
_NEARLY_COHERENCE = 0.06  # measured: French and Portuguese read as cp1250 differ by at most 0.05


def decode(data: bytes) -> str | SkipReason:
    """The text in `data`, or why there is none: EMPTY or BINARY."""
    text = _decode(data)
    if text is None or (text and _controls(text) > _CONTROL_SHARE * len(text)):
        return SkipReason.BINARY
    if not text or text.isspace():
        return SkipReason.EMPTY
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _controls(text: str) -> int:
    """How many control characters; as bytes they are found in a fraction of the time."""
    data = text.encode("utf-8", "surrogatepass")
    return len(data) - len(data.translate(None, _CONTROL_BYTES))


def _decode(data: bytes) -> str | None:
    for mark, encoding in MARKS if data.startswith(_FIRST_SIGNS) else ():
        if data.startswith(mark):
            return _strictly(data[len(mark) :], encoding)
    if b"\0" in data:
        return _utf16_without_mark(data)
    text = _strictly(data, "utf-8")
    return text if text is not None else _guessed(data)


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def _utf16_without_mark(data: bytes) -> str | None:
    """Line ends and spaces of UTF-16 have their zero bytes all on one side."""
    even, odd = data[0::2].count(0), data[1::2].count(0)
    if min(even, odd) > 0 or len(data) % 2:
        return None
    return _strictly(data, "utf-16-le" if odd else "utf-16-be")


def _guessed(data: bytes) -> str | None:
    """An old 8-bit or East Asian encoding, guessed from the lines that are not plain ASCII."""
    if len(data) - len(data.translate(None, _CONTROL_BYTES)) > _CONTROL_SHARE * len(data):
        return None
    from charset_normalizer import from_bytes  # only for the few files that need it

    matches = from_bytes(_telling_sample(data), threshold=0.2, cp_isolation=list(_COMMON))
    best = matches.best()
    if best is None:
        return None
    near = {
        match.encoding
        for match in matches
        if match.chaos <= best.chaos + _NEARLY_CHAOS
        and match.coherence >= best.coherence - _NEARLY_COHERENCE
    }
    for encoding in (*(name for name in _COMMON if name in near), best.encoding, *_COMMON):
        text = _strictly(data, encoding)  # the sample fitted; the whole may not
        if text is not None:
            return text
    return None


def _telling_sample(data: bytes) -> bytes:
    """Lines with bytes above ASCII, up to the sample's size; the others tell nothing."""
    if len(data) <= _SAMPLE_BYTES:
        return data
    telling, size = [], 0
    for line in data.splitlines(keepends=True):
        if not line.isascii():
            telling.append(line[:_SAMPLE_BYTES])
            size += len(telling[-1])
            if size >= _SAMPLE_BYTES:
                break
    return b"".join(telling)[:_SAMPLE_BYTES]
