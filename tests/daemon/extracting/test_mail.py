"""Messages as they really are: broken, in odd encodings, in HTML, by programs."""

import io
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest

from daemon.extracting import mail
from daemon.extracting.extracted import Extracted, Facts
from daemon.extracting.mail_heads import addresses_pattern, head_of
from tests.daemon.letters import ANSWER, ME, QUESTION, answer, letter, question

HEAD = f"From: Ada <{ME}>\nTo: Berta <berta@mill.example>\n".encode()
WESTERN = "Die Äpfel für Öhringen hängen später, die Stühle stehen schon draußen."


def facts(data: bytes, *, name: str = "a.eml", me: tuple[str, ...] = (ME,)) -> Facts:
    return Facts(size=len(data), name=name, me=me, most_bytes=1 << 20)


def sent(data: bytes, *, me: tuple[str, ...] = (ME,)) -> list[Extracted]:
    return list(mail.eml(io.BytesIO(data), facts(data, me=me)))


def text_of(data: bytes) -> str:
    return sent(data)[0].text


def left_out(data: bytes) -> dict[str, str]:
    (only,) = sent(data)
    assert only.text == ""
    return {key: value for key, value in only.about.items() if key != mail.LEFT_OUT}


@pytest.mark.parametrize(
    "sender",
    [
        ME,
        "ADA@Orchard.Example",
        "ada+lists@orchard.example",
        f'"Thorn, Ada" <{ME}>',
        f"=?utf-8?q?Ada_Th=C3=B6rn?= <{ME}>",
        f"Ada Thorn\n <{ME}>",
    ],
)
def test_the_users_address_is_known_in_all_its_dresses(sender: str) -> None:
    data = f"From: {sender}\nSubject: x\n\nMine.\n".encode()
    assert text_of(data) == "Mine."
    assert head_of(data, addresses_pattern((f"Ada <{ME.upper()}>",))).mine


@pytest.mark.parametrize(
    "sender",
    ["xada@orchard.example", "ada@orchard.example.org", f"Ada {ME} <eve@x.example>", "ada", ""],
)
def test_who_is_not_the_user_is_not(sender: str) -> None:
    assert sent(f"From: {sender}\nSubject: x\n\nNot mine.\n".encode()) == []


def test_an_address_that_was_named_with_a_tag_is_only_that_one() -> None:
    data = f"From: <{ME}>\n\nMine.\n".encode()
    assert sent(data, me=("ada+work@orchard.example",)) == []
    assert not head_of(data, addresses_pattern(("ada+work@orchard.example",))).mine


@pytest.mark.parametrize(
    ("headers", "body", "text"),
    [
        ("", "Äpfel".encode(), "Äpfel"),  # 8 bits and not a word about them
        ("Content-Type: text/plain; charset=us-ascii", "Äpfel".encode("latin-1"), "Äpfel"),
        ("Content-Type: text/plain; charset=iso-8859-1", "Äpfel".encode(), "Äpfel"),
        ("Content-Type: text/plain; charset=utf-8", WESTERN.encode("cp1252"), WESTERN),
        ("Content-Type: text/plain; charset=no-such-thing", "Äpfel".encode(), "Äpfel"),
        ("Content-Type: text/plain; charset=rot13", b"Apples", "Apples"),
        ("Content-Type: text/plain; charset=latin1", "„Äpfel“".encode("cp1252"), "„Äpfel“"),
        ("Content-Transfer-Encoding: base64", b"Not base64, words.", "Not base64, words."),
        ("Content-Transfer-Encoding: base64", b"QXBwbGVz", "Apples"),
        ("Content-Transfer-Encoding: base64", b"QXBwbGVzIGFuZCBwZWFycw", "Apples and pears"),
        ("Content-Transfer-Encoding: quoted-printable", b"Caf=E9 =\nau lait", "Café au lait"),
        ("X-Encoding: none", b"Caf=C3=A9 =\n=C3=A0 la=20cr=C3=A8me", "Café à la crème"),
        ("Content-Transfer-Encoding: who-knows", b"Apples", "Apples"),
        ("Content-Type: garbage", b"Apples", "Apples"),
        ("Content-Type: multipart/mixed", b"Apples", "Apples"),
    ],
)  # fmt: skip
def test_a_header_that_lies_about_the_text_is_not_believed(
    headers: str, body: bytes, text: str
) -> None:
    newline = b"\n" if headers else b""
    assert text_of(HEAD + headers.encode() + newline + b"\n" + body + b"\n") == text


def test_soft_line_ends_are_taken_out() -> None:
    flowed = "Content-Type: text/plain; format=flowed\n\nOne line that \ngoes on.\n\n-- \nAda\n"
    assert text_of(HEAD + flowed.encode()) == "One line that goes on."


def test_html_gives_its_text_with_quotes_and_signature_cut() -> None:
    html = (
        "<html><head><style>p {color: red}</style></head><body><p>Rather in <b>July</b>.</p>"
        "<p>I will bring<br>the ladder.</p><div class='gmail_signature'>Ada Thorn</div>"
        "<div class='gmail_quote'><div>On Mon, 3 Mar 2025, Berta &lt;b@mill.example&gt; wrote:"
        "</div><blockquote><p>Shall we prune?</p><blockquote>Older.</blockquote></blockquote></div>"
        "<script>alert(1)</script></body></html>"
    )
    (document,) = sent(bytes(letter("", html=html)))
    assert [document.text[turn.start : turn.end] for turn in document.turns] == [
        "Shall we prune?",
        "Rather in July.\n\nI will bring\nthe ladder.",
    ]


def test_html_of_a_program_that_marks_no_quotes_is_cut_at_the_head_below() -> None:
    html = (
        "<div>In July.</div><div id='Signature'>Ada Thorn</div><hr><div><b>Von:</b> Berta Quill"
        "<br><b>Gesendet:</b> Montag<br><b>An:</b> Ada<br><b>Betreff:</b> Obst</div>"
        "<div>Shall we, says Berta?</div>"
    )
    (document,) = sent(bytes(letter("", html=html)))
    assert document.text == "Shall we, says A?\n\nIn July."


def test_the_plain_part_is_taken_before_the_html() -> None:
    assert text_of(bytes(letter("Plain.", html="<p>Rich.</p>"))) == "Plain."


def test_attachments_are_not_read_texts_neither() -> None:
    message = letter("See the file.")
    message.add_attachment("The words of somebody else.", filename="copy.txt")
    message.add_attachment(question(), filename="letter.eml")
    message.add_attachment(b"\0\1\2", maintype="image", subtype="png", filename="damson.png")
    assert text_of(bytes(message)) == "See the file."


def test_parts_in_parts_are_read_to_a_bounded_depth() -> None:
    inner: MIMEText | MIMEMultipart = MIMEText("Deep.")
    for depth in range(6):
        outer = MIMEMultipart(boundary=f"b{depth}")
        outer.attach(inner)
        inner = outer
    assert text_of(HEAD + inner.as_bytes()) == "Deep."
    assert left_out(HEAD + _nested(500))


def _nested(depth: int) -> bytes:
    opened = "".join(
        f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(depth)
    )
    return f"{opened}\nToo deep.\n".encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\0" * 100,
        HEAD,
        HEAD + b"Content-Type: multipart/mixed; boundary=x\n\n--x\n--x\n--x--\n",
        HEAD + b"Date: 99 Foo 99999999999 99:99\nMessage-ID: <<<>>\n\n\xff\xfe\0\0",
        b"From: \xff\xfe <ada@orchard.example>\nSubject: =?utf-8?b?////?=\n\n\x80\x81",
        b'From: =?x?y?z?= <ada@orchard.example>\nTo: ,,;<>"\n\nwords',
    ],
)
def test_a_broken_message_breaks_nothing(data: bytes) -> None:
    for document in sent(data):
        assert isinstance(document.text, str)
    assert list(mail.letters(io.BytesIO(data), facts(data))) == []


@pytest.mark.parametrize(
    ("date", "there"),
    [
        ("Mon, 03 Mar 2025 10:00:00 +0100", 1740992400.0),
        ("Mon, 03 Mar 2025 10:00:00 -0000", 1740996000.0),
        ("03 Mar 25 10:00 GMT", 1740996000.0),
        ("Mon, 31 Feb 2025 10:00:00 +0100", None),
        ("Mon, 03 Mar 1925 10:00:00 +0100", None),
        ("Mon, 03 Mar 9925 10:00:00 +0100", None),
        ("yesterday", None),
        (None, None),
    ],
)
def test_impossible_dates_are_none(date: str | None, there: float | None) -> None:
    assert sent(bytes(letter("Words.", date=date)))[0].modified_at == there


def _calendar() -> bytes:
    message = letter("You are invited.")
    message.add_alternative("BEGIN:VCALENDAR\nEND:VCALENDAR\n", subtype="calendar")
    return bytes(message)


def _receipt() -> bytes:
    report = MIMEMultipart("report", report_type="disposition-notification")
    report["From"] = ME
    report.attach(MIMEText("Your message was displayed."))
    return report.as_bytes()


@pytest.mark.parametrize(
    ("rule", "data"),
    [
        ("auto_reply", bytes(letter("Away.", subject="Automatische Antwort: Obst"))),
        ("auto_reply", bytes(letter("Away.", subject="Out of Office: pruning"))),
        ("auto_reply", bytes(letter("Away.", Auto_Submitted="auto-generated"))),
        ("auto_reply", bytes(letter("Away.", X_Autoreply="yes"))),
        ("calendar", _calendar()),
        ("calendar", bytes(letter("x", Content_Class="urn:content-classes:calendarmessage"))),
        ("receipt", _receipt()),
        ("digest", bytes(letter("1. a\n2. b", subject="Orchard Digest, Vol 3", List_Id="<o.x>"))),
        ("program", bytes(letter("diff", X_Mailer="git-send-email 2.40"))),
        ("program", bytes(letter("Buy damsons.", Precedence="bulk"))),
        ("deleted", bytes(letter("x", X_Gmail_Labels="Sent,Trash"))),
        ("deleted", bytes(letter("x", X_Status="AD"))),
    ],
)
def test_letters_of_programs_are_left_out_by_rules_with_names(rule: str, data: bytes) -> None:
    assert left_out(data) == {rule: "1"}


def test_a_letter_about_digests_and_offices_is_kept() -> None:
    assert text_of(
        bytes(letter("Words.", subject="The office is out of ladders", Auto_Submitted="no"))
    )


def test_an_answer_says_what_it_answers_and_carries_the_quote() -> None:
    text = f"{ANSWER}\n\nAm 03.03.25 um 09:12 schrieb Berta Quill:\n> Ask Berta, shall we prune?\n"
    (document,) = sent(bytes(answer(text=text)))
    assert [(turn.speaker, turn.own) for turn in document.turns] == [("A", False), ("me", True)]
    assert document.text == f"Ask A, shall we prune?\n\n{ANSWER}"
    digest = head_of(bytes(question()), addresses_pattern((ME,))).digest
    assert document.about[mail.ANSWERS] == f"{digest:016x}"


def test_two_people_who_are_quoted_have_two_letters() -> None:
    text = (
        "Berta Quill <berta.quill@mill.example> wrote:\n> Prune?\nIn July.\n\n"
        "Carl Moss <carl@moss.example> wrote:\n> And the pears?\nLater.\n"
    )
    (document,) = sent(bytes(answer(text=text)))
    assert [turn.speaker for turn in document.turns] == ["A", "me", "B", "me"]
    assert mail.ANSWERS not in document.about


def test_the_users_own_words_in_a_quote_are_nobody_elses() -> None:
    text = f"More.\n\nOn Mon, 3 Mar 2025 at 09:12, Ada Thorn <{ME}> wrote:\n> What I said.\n"
    (document,) = sent(bytes(answer(text=text)))
    assert (document.text, document.turns) == ("More.", ())


def test_what_somebody_wrote_comes_without_names_and_signature() -> None:
    data = bytes(question(text=QUESTION.replace("Shall", "Ada, shall") + "\n> older\n"))
    (document,) = mail.letters(io.BytesIO(data), facts(data))
    assert document.text == "Ada, shall we prune the damsons in March?"


def test_a_message_beyond_the_bound_is_read_as_far_as_its_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mail, "MESSAGE_BYTES", 2_000)
    message = letter("See the picture.")
    message.add_attachment(b"\1" * 9_000, maintype="image", subtype="png", filename="damson.png")
    assert text_of(bytes(message)) == "See the picture."
    message = letter("", html="<p>x</p>")
    message.set_payload("<script>" + "x" * 9_000)
    assert left_out(bytes(message)) == {"too_large": "1"}


def test_a_message_larger_than_a_document_may_be_costs_itself_only() -> None:
    data = b"".join(
        b"From - Mon Mar  3 10:00:00 2025\n" + bytes(letter(text, name=text[:3])) + b"\n"
        for text in ("One.", "Two " * 400_000, "Three.")
    )
    *found, counts = mail.mbox(io.BytesIO(data), facts(data))
    assert [one.text for one in found] == ["One.", "Three."]
    assert counts.about["too_large"] == "1"
