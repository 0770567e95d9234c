"""The guide's third step: the first place to read, and what a night would learn of it."""

from pathlib import Path

import click

from daemon.cli.output import Json, say
from daemon.cli.preview import preview, preview_text
from daemon.cli.privacy import CONVERSATIONS, add_source
from daemon.cli.reaching import home
from daemon.cli.setup_guide import Guide
from daemon.cli.source_list import sources_text
from daemon.errors import SourceMissing

NO_VAULT = "· This needs the vault: `nightloom setup vault`."
KINDS = ("folder", "mail", "chats", CONVERSATIONS)
EXPLAINED = (
    "folder: notes, pages, letters and books below a folder.  mail: a mailbox or maildir.\n"
    "chats: exported chats.  conversations: what you say to nightloom itself.\n"
    "Nothing else is read, and what is read stays on this machine, sealed and redacted."
)
PLACES = {
    "folder": "Which folder (empty: none)",
    "mail": "Where is the mail (empty: none)",
    "chats": "Where are the chats (empty: none)",
}
WHO = "Your own addresses or names in it, with commas between (as in me@example.org)"


def take(guide: Guide) -> bool:
    if not home().vault_exists():
        say(NO_VAULT)
        return False
    with guide.service() as service:
        known = service.sources()
    if known:
        say(f"✓ What may be read:\n{sources_text(known)}")
    wanted = not known or guide.again or guide.folder is not None
    if wanted and not _add(guide) and not known:
        return False
    _show_preview(guide, asking=wanted)
    return True


def _add(guide: Guide) -> bool:
    """Asks for a place until one is taken or none is named; whether one was."""
    if guide.folder is not None:
        _invoke(guide, "folder", guide.folder)
        guide.folder = None
        return True
    if guide.yes or not guide.confirm("Allow something to be read now?", default=True):
        return False
    say(EXPLAINED)
    kind = guide.choose("What is it", KINDS, default="folder")
    while True:
        place = None
        if kind != CONVERSATIONS:
            typed = guide.line(PLACES[kind])
            if not typed:
                return False
            place = _path(typed)
            if not place.exists():  # before it is asked whose writing it is
                say(f"✗ {SourceMissing()}")
                continue
        try:
            _invoke(guide, kind, place)
        except Exception as error:
            if not guide.survives(error) or kind == CONVERSATIONS:
                raise
        else:
            return True


def _invoke(guide: Guide, kind: str, place: Path | None) -> None:
    """As `nightloom privacy sources add` does it, with its question whose writing it is."""
    me: tuple[str, ...] = ()
    if kind in ("mail", "chats"):
        typed = guide.line(WHO)
        me = tuple(one.strip() for one in typed.split(",") if one.strip())
    facts: Json = {"path": place, "kind": kind, "me": me, "wait": True}
    if guide.yes:
        facts["own"] = True  # as without a terminal
    with guide.service():
        click.get_current_context().invoke(add_source, **facts)


def _path(typed: str) -> Path:
    """What was typed, as a shell would read it: quotes around it go, `~` is the user's home."""
    bare = typed.strip("'\"") or typed
    try:
        return Path(bare).expanduser()
    except RuntimeError:  # there is no such user
        return Path(bare)


def _show_preview(guide: Guide, *, asking: bool) -> None:
    with guide.service() as service:
        answer = service.preview()
    say(f"\nWhat a night would learn from now:\n{preview_text(answer)}")
    question = "Look at the text itself, as a night would see it?"
    if asking and answer["total_new_documents"] and guide.confirm(question, default=False):
        click.get_current_context().invoke(preview, with_text=True)
