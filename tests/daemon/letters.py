"""Invented letters for the tests of mail: Ada's, and of those who write to her."""

import mailbox
from email.message import EmailMessage
from pathlib import Path

ME = "ada@orchard.example"
QUESTION = (
    "Shall we prune the damsons in March?\n\nBerta\n-- \nBerta Quill\nMill Lane 4, 01632 960123\n"
)
ANSWER = "Rather in July, when the sap is down. I will bring the ladder."


def letter(
    text: str,
    *,
    sender: str = f"Ada Thorn <{ME}>",
    to: str = "Berta Quill <berta.quill@mill.example>",
    name: str | None = None,
    answers: str | None = None,
    subject: str = "The orchard",
    date: str | None = "Mon, 03 Mar 2025 10:00:00 +0100",
    html: str | None = None,
    **headers: str,
) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    if date is not None:
        message["Date"] = date
    if name is not None:
        message["Message-ID"] = f"<{name}@orchard.example>"
    if answers is not None:
        message["In-Reply-To"] = f"<{answers}@orchard.example>"
    if text:
        message.set_content(text)
    if html is not None and text:
        message.add_alternative(html, subtype="html")
    elif html is not None:
        message.set_content(html, subtype="html")
    for field, value in headers.items():
        message[field.replace("_", "-")] = value
    return message


def question(name: str = "question", text: str = QUESTION) -> EmailMessage:
    return letter(
        text, sender="Berta Quill <berta.quill@mill.example>", to=f"Ada <{ME}>", name=name
    )


def answer(name: str = "answer", answers: str = "question", text: str = ANSWER) -> EmailMessage:
    return letter(text, name=name, answers=answers)


def write_mbox(place: Path, *messages: EmailMessage | bytes) -> Path:
    """A new mbox, or more of one that is there."""
    place.parent.mkdir(parents=True, exist_ok=True)
    box = mailbox.mbox(place)
    for message in messages:
        box.add(message)
    box.close()
    return place


def write_maildir(place: Path, *messages: EmailMessage, flags: str = "S") -> mailbox.Maildir:
    place.parent.mkdir(parents=True, exist_ok=True)
    box = mailbox.Maildir(place)
    for message in messages:
        kept = mailbox.MaildirMessage(message)
        kept.set_subdir("cur")
        kept.set_flags(flags)
        box.add(kept)
    return box
