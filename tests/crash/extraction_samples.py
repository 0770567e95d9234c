"""Small good files of every format that is extracted, invented here: what fuzzing begins from."""

import io
import json
import zipfile
import zlib
from email.message import EmailMessage

from docx import Document
from odfdo import Document as OdfDocument
from odfdo import Paragraph

SAID = "The bees came back on Monday, and I wrote it down. ünïcödé 🐝"


def samples() -> dict[str, list[bytes]]:
    """By format."""
    return {
        "plain": [SAID.encode()],
        "html": [_html(), b"<p>" * 50 + SAID.encode()],
        "docx": [_docx()],
        "odt": [_odt()],
        "pdf": [_pdf(compressed=False), _pdf(compressed=True)],
        "epub": [_epub()],
        "notebook": [_notebook()],
        "latex": [_LATEX],
        "mbox": [_mbox()],
        "eml": [_mail("1").as_bytes(), _mail("2", html=True).as_bytes()],
        "chats": [_WHATSAPP, _telegram(), _chatgpt(), _oasst(), _zipped_chat()],
    }


def _html() -> bytes:
    words = f"<p>{SAID} {SAID} {SAID}</p>" * 4
    return f"<!doctype html><html><head><title>Bees</title></head><body>{words}</body>".encode()


def _docx() -> bytes:
    document = Document()
    document.add_heading("Bees", 1)
    document.add_paragraph(SAID)
    document.add_table(rows=2, cols=2).cell(0, 0).text = SAID
    return _saved(document.save)


def _odt() -> bytes:
    document = OdfDocument("text")
    document.body.append(Paragraph(SAID))
    return _saved(document.save)


def _saved(save: object) -> bytes:
    file = io.BytesIO()
    save(file)  # type: ignore[operator]
    return file.getvalue()


def _pdf(*, compressed: bool) -> bytes:
    said = b"BT /F 12 Tf 72 720 Td (The bees came back on Monday.) Tj ET"
    filters = b"/Filter /FlateDecode " if compressed else b""
    stream = zlib.compress(said) if compressed else said
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F 5 0 R >> >> >>",
        b"<< %b/Length %d >>\nstream\n%b\nendstream" % (filters, len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    made, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%b\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(made)
    return made + b"xref\n0 6\n0000000000 65535 f \n" + table + end


def _epub() -> bytes:
    return _zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:'
            'container"><rootfiles><rootfile full-path="b.opf" media-type="application/'
            'oebps-package+xml"/></rootfiles></container>',
            "b.opf": '<package xmlns="http://www.idpf.org/2007/opf"><manifest><item id="a" '
            'href="a.xhtml" media-type="application/xhtml+xml"/></manifest><spine>'
            '<itemref idref="a"/></spine></package>',
            "a.xhtml": f'<html xmlns="http://www.w3.org/1999/xhtml"><body><p>{SAID}</p></body>'
            "</html>",
        }
    )


def _zipped(parts: dict[str, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return file.getvalue()


def _notebook() -> bytes:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Bees\n", SAID]},
        {"cell_type": "code", "metadata": {}, "source": "1 + 1", "outputs": []},
    ]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).encode()


_LATEX = rb"""\documentclass{article}
\begin{document}
\section{Bees} The bees \emph{came back} on Monday. % nobody else saw it
\begin{equation} a^2 + b^2 = c^2 \end{equation}
\end{document}
"""


def _mail(number: str, *, html: bool = False) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "Ada <ada@example.org>"
    mail["To"] = "Ben <ben@example.net>"
    mail["Subject"] = "Bees 🐝"
    mail["Date"] = "Mon, 4 May 2026 09:12:00 +0200"
    mail["Message-ID"] = f"<{number}@example.org>"
    mail["In-Reply-To"] = "<0@example.net>"
    mail.set_content(f"{SAID}\n\nOn Sunday Ben wrote:\n> Are they back?\n\n-- \nAda\n")
    if html:
        mail.add_alternative(f"<p>{SAID}</p>", subtype="html")
    return mail


def _mbox() -> bytes:
    each = (_mail(str(number), html=number % 2 == 0).as_bytes() for number in range(3))
    return b"".join(b"From ada Mon May  4 09:12:00 2026\n" + mail + b"\n" for mail in each)


_WHATSAPP = "".join(
    f"{day:02}/05/2026, 21:1{day % 10} - {name}: {said}\n"
    for day, name, said in (
        (13, "Ben", "Are they back?"),
        (13, "Ada", SAID),
        (14, "Ada", "And again\nover two lines"),
    )
).encode()


def _telegram() -> bytes:
    messages = [
        {"id": 1, "type": "message", "date": "2026-05-04T09:12:00", "from": "Ben", "text": "Tea?"},
        {
            "id": 2,
            "type": "message",
            "date": "2026-05-04T09:13:00",
            "from": "Ada",
            "text": ["Yes, ", {"type": "bold", "text": SAID}],
        },
    ]
    chat = {"name": "Ben", "type": "personal_chat", "id": 7, "messages": messages}
    return json.dumps(chat).encode()


def _chatgpt() -> bytes:
    def node(parent: str | None, child: str | None, role: str, said: str) -> dict[str, object]:
        message = {
            "author": {"role": role},
            "content": {"content_type": "text", "parts": [said]},
            "create_time": 1_770_000_000.5,
        }
        return {"parent": parent, "children": [child] if child else [], "message": message}

    mapping = {"a": node(None, "b", "user", SAID), "b": node("a", None, "assistant", "Good.")}
    chat = {"id": "c", "title": "Bees", "current_node": "b", "mapping": mapping}
    return json.dumps([chat | {"create_time": 1_770_000_000.0}]).encode()


def _oasst() -> bytes:
    replies: list[dict[str, object]] = [
        {"message_id": str(rank), "role": "assistant", "text": f"{SAID} {rank}", "rank": rank,
         "replies": []}
        for rank in (1, 0)
    ]  # fmt: skip
    prompt = {"message_id": "p", "role": "prompter", "text": "Bees?", "replies": replies}
    return (json.dumps({"message_tree_id": "p", "prompt": prompt}) + "\n").encode()


def _zipped_chat() -> bytes:
    return _zipped({"_chat.txt": _WHATSAPP.decode()})
