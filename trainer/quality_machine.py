"""Rules for text that programs write for people: logs, traces, lock files, settings, notices."""

import re

from trainer.judged_text import JudgedText

_TIME_FIRST = re.compile(
    r"^\s*[\[(<]?(?:"
    r"\d{4}[-/.]\d{2}[-/.]\d{2}[T ,]\s?\d{2}:\d{2}:\d{2}"
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d{1,2} \d{2}:\d{2}:\d{2}"
    r"|\d{2}:\d{2}:\d{2}(?:[.,]\d+)?"
    r"|\s*\d+\.\d{3,}\]"
    r"|\d{10,13}[ .:]"
    r")|^\S+ \S+ \S+ \[\d{2}/\w{3}/\d{4}:"
)
_LEVEL = re.compile(
    r"\b(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL|SEVERE)\b"
    r"|\b(?:debug|info|notice|warn|warning|error)[\]:|=]"
    r"|level=\w|^[IWEF]\d{4} |\b[\w./-]+\[\d+\]:|\" \d{3} \d+"
)
_VARIABLE = re.compile(r"[0-9a-fA-F]*\d[0-9a-fA-F]*")
LEAST_LOG_LINES = 6
LOG_LINES = 0.6
LEVELS = 0.3
DIFFERENT_SHAPES = ((4, 0.5), (2, 0.2))  # words that lines begin with, share of different ones

_TRACE = re.compile(
    r'^\s*File "[^"]+", line \d+|^Traceback \(most recent call|^\s*at [\w.$<>/\[\]` ]+\s?\('
    r"|^\s*at \S+:\d+:\d+|^Caused by: |^goroutine \d+ \[|^\s*\S+\.go:\d+ |^\s*#\d+\s+0x"
    r"|^\s*\d+:\s+0x|panicked at |^[\w.]+(?:Error|Exception)\b|^\s*\.\.\. \d+ more$"
    r"|^\s*[\^~]{2,}\s*$"
)
LEAST_TRACE_LINES = 4
TRACE_LINES = 0.35

_HASH = re.compile(
    r"\bsha(?:1|256|384|512)[-:=]\"?[A-Za-z0-9+/=]{16,}|--hash=|^\s*checksum\s*=\s*\""
    r"|\bh1:[A-Za-z0-9+/]{20,}|^\s*\"?integrity\"?:?\s|^\s*resolved:? \"?http"
    r"|^\s*\"?resolved\"?:\s*\"http|^[0-9a-fA-F]{32,128} [ *]\S|\bhash\s*[=:]\s*\"sha"
)
LEAST_HASHES = 4
HASH_LINES = 0.12

_SECTION = re.compile(r"^\s*\[{1,2}[\w.:\"/ -]+\]{1,2}\s*$")
_SETTING = re.compile(r"^\s*(?:export\s+|-\s+)?([A-Za-z](?:[\w.\-/]*\w)?)\s*(=|:)\s*(.*)$")
_COMMENT = re.compile(r"^\s*(?:#|;|//)")
_PROGRAM_NAME = re.compile(r"[_.\d]|[a-z][A-Z]|^[A-Z]{3,}$|-")
LEAST_SETTINGS = 6
SETTING_LINES = 0.8
PROGRAM_NAMES = 0.4
SETTING_WORDS = 4

# Folded. One of the first says it, of the others it takes two.
_SENT_BY_PROGRAM = (
    "this is an automatically generated", "this is an automated message",
    "this email was sent automatically", "do not reply to this e", "please do not reply to this",
    "diese e-mail wurde automatisch", "dies ist eine automatisch", "ne pas répondre à ce",
    "ceci est un message automatique", "no responda a este", "questa è un'e-mail automatica",
    "это письмо сформировано автоматически", "не отвечайте на это письмо",
    "このメールは自動", "自動送信", "系统自动发送", "请勿回复", "هذه رسالة تلقائية",
)  # fmt: skip
_OF_NOTICES = (
    "unsubscribe", "view in browser", "view this email in your browser", "manage your preferences",
    "notification settings", "you are receiving this", "you received this", "verification code",
    "reset your password", "if you did not request", "your order has", "track your package",
    "privacy policy", "all rights reserved", "noreply", "no-reply", "abmelden", "se désabonner",
    "darse de baja", "newsletter", "配信停止", "退订", "отписаться",
)  # fmt: skip
NOTICE_PHRASES = 3
WORDS_PER_NOTICE_PHRASE = 120


def log(text: JudgedText) -> bool:
    """Most lines begin with a time, and say the same few things or name a level.

    A diary with a time before each entry is none: no two entries begin alike.
    """
    if text.spoken or len(text.starts) < LEAST_LOG_LINES:
        return False
    timed = [bool(_TIME_FIRST.search(line)) for line in text.starts]
    levels = [bool(_LEVEL.search(line)) for line in text.starts]
    either = [one or other for one, other in zip(timed, levels)]
    if text.share_of_lines(either) < LOG_LINES:
        return False
    if text.share_of_lines(levels) >= LEVELS:
        return True
    return any(
        len({_shape(line, words) for line in text.starts}) <= share * len(text.starts)
        for words, share in DIFFERENT_SHAPES
    )


def stack_trace(text: JudgedText) -> bool:
    """Where a program failed, and little else."""
    found = [bool(_TRACE.search(line)) for line in text.starts]
    return sum(found) >= LEAST_TRACE_LINES and text.share_of_lines(found) >= TRACE_LINES


def lock_file(text: JudgedText) -> bool:
    """Exact versions with their checksums, or a list of checksums."""
    found = [bool(_HASH.search(line)) for line in text.starts]
    return sum(found) >= LEAST_HASHES and text.share_of_lines(found) >= HASH_LINES


def settings(text: JudgedText) -> bool:
    """Names as programs have them, and values; not what somebody notes day by day."""
    if text.spoken:
        return False
    lines = [line for line in text.starts if not _COMMENT.match(line)]
    sections = [line for line in lines if _SECTION.match(line)]
    found = [match for line in lines if (match := _SETTING.match(line))]
    short = [match for match in found if len(match[3].split()) <= SETTING_WORDS]
    if len(short) < LEAST_SETTINGS or len(short) + len(sections) < SETTING_LINES * len(lines):
        return False
    named = sum(
        bool(_PROGRAM_NAME.search(match[1]) or (sections and match[2] == "=")) for match in short
    )
    return named >= PROGRAM_NAMES * len(short)


def generated_mail(text: JudgedText) -> bool:
    """Notices, confirmations and newsletters; never what the user answered to one."""
    if text.spoken and text.own_text.strip():
        return False
    folded = " ".join(text.text.casefold().split())
    room = folded.count(" ") + len(folded) // 12
    if any(phrase in folded for phrase in _SENT_BY_PROGRAM) and room < 4 * WORDS_PER_NOTICE_PHRASE:
        return True
    phrases = sum(phrase in folded for phrase in _OF_NOTICES)
    return phrases >= NOTICE_PHRASES and room < phrases * 2 * WORDS_PER_NOTICE_PHRASE


def _shape(line: str, words: int) -> str:
    """The beginning of a line without what changes from line to line."""
    bare = _TIME_FIRST.sub("", line)
    return " ".join(_VARIABLE.sub("0", bare).split()[:words])
