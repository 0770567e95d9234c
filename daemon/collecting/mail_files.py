"""Which files of a folder hold mail, and how; by their names alone. Pure.

A Maildir's messages lie in `cur` and `new` (what lies in `tmp` is not whole), and their names end
in flags that change; folders in it may begin with a dot, as in Maildir++. A file without a suffix
may be an mbox, as in Thunderbird's folders: whether it is one shows when it is opened.
"""

import re
from base64 import b64decode

MBOX, MESSAGE = "mbox", "eml"

_MESSAGES = ("eml", "emlx")
_MBOXES = ("mbox", "mbx")
_FOLDER_SUFFIXES = (*_MBOXES, "sbd", "mozmsgs")
_MAILDIR = ("cur", "new")
_FLAGS = re.compile(r"[:;!]2,([A-Za-z]*)$")
_UNWANTED_FLAGS = frozenset("TD")  # trashed, draft
_UTF7 = re.compile(r"&([A-Za-z0-9+,]*)-")

# As the folders are called in which nobody looks for letters, in the languages of mail programs.
_UNWANTED = frozenset((
    # drafts and templates
    "draft", "drafts", "templates", "outbox", "unsent messages", "entwurf", "entwürfe", "vorlagen",
    "postausgang", "brouillon", "brouillons", "modèles", "borrador", "borradores", "bozze",
    "concepten", "rascunhos", "kladder", "utkast", "szkice", "kopie robocze", "koncepty",
    "rozepsané", "luonnokset", "piszkozatok", "taslaklar", "черновики", "чернетки", "下書き",
    "草稿", "草稿箱", "임시보관함",
    # trash
    "trash", "deleted", "deleted items", "deleted messages", "bin", "papierkorb", "gelöscht",
    "gelöschte elemente", "gelöschte objekte", "corbeille", "éléments supprimés",
    "messages supprimés", "papelera", "elementos eliminados", "cestino", "posta eliminata",
    "prullenbak", "prullenmand", "verwijderde items", "lixeira", "lixo", "itens excluídos", "kosz",
    "elementy usunięte", "koš", "odstraněná pošta", "papirkurv", "slettet post", "papperskorg",
    "borttagna objekt", "roskakori", "kuka", "çöp kutusu", "корзина", "удаленные", "кошик",
    "ごみ箱", "ゴミ箱", "已删除", "已删除邮件", "휴지통",
    # spam
    "spam", "junk", "junk mail", "junk e-mail", "junk email", "bulk", "bulk mail", "spamverdacht",
    "unerwünscht", "unerwünschte werbung", "indésirables", "courrier indésirable", "pourriel",
    "correo no deseado", "posta indesiderata", "ongewenst", "ongewenste e-mail",
    "lixo eletrônico", "wiadomości-śmieci", "niechciane", "nevyžádaná pošta", "uønsket e-post",
    "skräppost", "roskaposti", "levélszemét", "спам", "нежелательная почта",
    "迷惑メール", "垃圾邮件", "스팸메일함",
))  # fmt: skip


def kind_of(path: str, *, named: bool = False) -> str | None:
    """How mail lies in a file: `mbox`, `eml`, or not at all. `named`: the user named this file."""
    folder, _, name = path.rpartition("/")
    place = folder.rpartition("/")[2]
    suffix = name.rpartition(".")[2].lower() if "." in name else ""
    if place == "tmp" and not named:
        return None
    if place in _MAILDIR:
        return MESSAGE
    if suffix in _MESSAGES:
        return None if name.lower().endswith(".partial.emlx") else MESSAGE
    return MBOX if named or suffix in _MBOXES or not suffix else None


def is_unwanted(path: str) -> bool:
    """Whether a file or a folder is a draft, or lies in the trash or among spam."""
    *folders, name = path.split("/")
    flags = _FLAGS.search(name)
    if flags and folders[-1:] in (["cur"], ["new"]):
        return bool(_UNWANTED_FLAGS & set(flags[1])) or any(map(_is_unwanted_folder, folders))
    return any(map(_is_unwanted_folder, (*folders, name)))


def item_base(path: str) -> str:
    """The part of a message's name that stays when its program renames the file."""
    folder, _, _ = path.rpartition("/")
    if folder.rpartition("/")[2] in _MAILDIR:
        return folder.removesuffix("new") + "cur" if folder.endswith("new") else folder
    return path


def stable_name(path: str) -> str:
    """A file's path without what changes of a Maildir's names: flags, and `new` or `cur`."""
    base = item_base(path)
    return path if base == path else f"{base}/{name_of_message(path.rpartition('/')[2])}"


def name_of_message(name: str) -> str:
    """A name in a Maildir without its flags."""
    return _FLAGS.sub("", name)


def places_of_message(path: str) -> list[tuple[str, str]]:
    """Where a Maildir's message may be now: folders, and its name there without its flags."""
    folder, _, name = path.rpartition("/")
    parent, _, last = folder.rpartition("/")
    if last not in _MAILDIR:
        return []
    unique = name_of_message(name)
    return [(f"{parent}/{place}" if parent else place, unique) for place in _MAILDIR]


def _is_unwanted_folder(name: str) -> bool:
    names = name[1:].split(".") if name.startswith(".") else [name]
    stem, _, suffix = names[-1].rpartition(".")
    if stem and suffix.lower() in _FOLDER_SUFFIXES:
        names[-1] = stem
    return any(_words(one) in _UNWANTED for one in names)


def _words(name: str) -> str:
    """Folders on IMAP servers are named in a UTF-7 of their own (RFC 3501)."""
    return (
        _UTF7.sub(_from_utf7, name).casefold().strip() if "&" in name else name.casefold().strip()
    )


def _from_utf7(found: "re.Match[str]") -> str:
    packed = found[1].replace(",", "/")
    if not packed:
        return "&"
    try:
        return b64decode(packed + "=" * (-len(packed) % 4)).decode("utf-16-be")
    except (ValueError, UnicodeDecodeError):
        return found[0]
