"""What of a letter's text its writer wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.extracting.mail_quotes import blocks_of, is_inline, joined, without_closing

OWN = "Rather in July.\n\nI will bring the ladder."


def own(text: str) -> str:
    return joined(blocks_of(text), own=True)


def quoted(text: str) -> str:
    return joined(blocks_of(text), own=False)


@pytest.mark.parametrize(
    "line",
    [
        "On Mon, 3 Mar 2025 at 09:12, Berta Quill <berta@mill.example> wrote:",
        "On 3 March 2025, at 09:12, Berta Quill\n<berta@mill.example> wrote:",
        "Berta Quill wrote:",
        "Am 03.03.25 um 09:12 schrieb Berta Quill:",
        "Am Mo., 3. März 2025 um 09:12 Uhr schrieb Berta Quill <\nberta@mill.example>:",
        "Le lun. 3 mars 2025 à 09:12, Berta Quill <berta@mill.example> a écrit :",
        "El lun, 3 mar 2025 a las 9:12, Berta Quill (<berta@mill.example>) escribió:",
        "Il giorno lun 3 mar 2025 alle ore 09:12 Berta Quill <berta@mill.example> ha scritto:",
        "Op ma 3 mrt 2025 om 09:12 schreef Berta Quill <berta@mill.example>:",
        "Em seg., 3 de mar. de 2025 às 09:12, Berta <berta@mill.example> escreveu:",
        "pon., 3 mar 2025 o 09:12 Berta Quill <berta@mill.example> napisał(a):",
        "Den mån 3 mars 2025 kl 09:12 skrev Berta Quill <berta@mill.example>:",
        "пн, 3 мар. 2025 г. в 09:12, Berta Quill <berta@mill.example>:",
        "2025年3月3日(月) 9:12 Berta Quill <berta@mill.example>:",
    ],
)
def test_the_line_over_a_quote_goes_in_many_languages(line: str) -> None:
    assert own(f"{OWN}\n\n{line}\n\n> Shall we prune?\n> > Earlier words.\n") == OWN
    assert quoted(f"{OWN}\n\n{line}\n> Shall we prune?\n> > Earlier.\n") == "Shall we prune?"
    assert own(f"{line}\n> Shall we prune?\n\n{OWN}\n") == OWN


@pytest.mark.parametrize(
    "head",
    [
        "-----Original Message-----\nFrom: Berta Quill\nSent: Monday\nTo: Ada\nSubject: Pruning\n",
        "-----Ursprüngliche Nachricht-----\nVon: Berta Quill\nGesendet: Montag\nAn: Ada\n",
        "________________________________\nFrom: Berta\nSent: Monday\nTo: Ada\nSubject: Pruning\n",
        "Von: Berta Quill <b@mill.example>\nGesendet: Montag, 3. März\nAn: Ada\nBetreff: Obst\n",
        "*From:* Berta Quill\n*Sent:* Monday, 3 March 2025\n*To:* Ada\n*Subject:* Re: Pruning\n",
        "De : Berta Quill\nEnvoyé : lundi 3 mars\nÀ : Ada\nObjet : La taille\n",
        "On 3 Mar 2025, at 09:12, Berta Quill <b@mill.example> wrote:\n",
    ],
)
def test_a_letter_below_without_marks_is_a_quote(head: str) -> None:
    text = f"{OWN}\n\n{head}\nShall we prune?\n"
    assert own(text) == OWN
    assert quoted(text) == "Shall we prune?"


@pytest.mark.parametrize(
    "mark",
    [
        "---------- Forwarded message ---------\nFrom: Berta\nDate: Monday\nSubject: x\nTo: Ada\n",
        "Begin forwarded message:\n\nFrom: Berta\n",
        "-------- Weitergeleitete Nachricht --------\nBetreff: x\nVon: Berta\n",
        "-------- Message transféré --------\nSujet : x\n",
    ],
)
def test_a_letter_that_is_sent_on_is_not_the_users(mark: str) -> None:
    text = f"See below.\n\n{mark}\nShall we prune?\n"
    assert own(text) == "See below."
    assert quoted(text) == ""


@pytest.mark.parametrize(
    "end",
    [
        "-- \nAda Thorn\nOrchard Row 1",
        "--\nAda Thorn",
        "Sent from my iPhone",
        "Von meinem iPhone gesendet",
        "Envoyé de mon iPhone",
        "Get Outlook for Android",
        "This e-mail and any attachments are confidential and intended for nobody else.",
        "_______________________________________________\nOrchard mailing list\nlist@x.example",
        "-----BEGIN PGP SIGNATURE-----\n\niQEzBAEB\n-----END PGP SIGNATURE-----",
    ],
)
def test_what_stands_below_the_words_goes(end: str) -> None:
    assert own(f"{OWN}\n\n{end}\n") == OWN


def test_a_signed_letter_loses_its_marks_only() -> None:
    text = f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{OWN}\n"
    assert own(f"{text}-----BEGIN PGP SIGNATURE-----\nabc\n-----END PGP SIGNATURE-----\n") == OWN


def test_an_encrypted_letter_has_no_words() -> None:
    assert blocks_of("-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----\n") == []


def test_quotes_that_are_answered_one_by_one_stay_in_order() -> None:
    blocks = blocks_of(
        "Dear Berta,\n\nBerta Quill wrote:\n> Shall we prune?\nIn July.\n\n"
        "> And the pears?\n\nLater."
    )
    assert is_inline(blocks)
    assert [(block.own, block.text) for block in blocks] == [
        (True, "Dear Berta,"),
        (False, "Shall we prune?"),
        (True, "In July."),
        (False, "And the pears?"),
        (True, "Later."),
    ]
    assert blocks[1].by == "Berta Quill wrote:"


@pytest.mark.parametrize(
    "text",
    [
        "Thanks!\nOn the ladder he said: come down.\nSo I came.",
        "Am I right?\nThe list:\n- damsons\n- pears\n\nFrom: the cellar, I mean.",
        "It cost 20 > 10.\n\nTo: nobody in particular.",
        "He wrote:\nnothing at all.",
        "Dash -- it all.\n\n- one\n- two",
    ],
)
def test_the_users_words_stay_where_they_only_look_like_more(text: str) -> None:
    assert own(text) == text


def test_a_quote_that_says_itself_whom_it_quotes() -> None:
    text = "In July.\n\n> On 3 Mar 2025, at 09:12, Berta Quill <b@x.example> wrote:\n> \n> Prune?\n"
    own_words, quote = blocks_of(text)
    assert (own_words.text, quote.text) == ("In July.", "Prune?")
    assert "Berta" in quote.by


def test_of_several_letters_below_the_first_is_the_one_that_is_answered() -> None:
    head = "From: Berta Quill <b@mill.example>\nSent: Monday\nTo: Ada; Carl\nSubject: Pruning\n"
    assert quoted(f"July.\n\n{head}Shall we prune?\nB.\n\n{head}\nOlder.") == "Shall we prune?\nB."
    assert (
        quoted(f"> Shall we?\n>\n> {head.replace(chr(10), chr(10) + '> ')}\n> Old.") == "Shall we?"
    )


@pytest.mark.parametrize("end", ["Best regards,", "Viele Grüße", "Bien à vous,", "MfG", "Cheers!"])
def test_what_others_write_ends_before_their_greeting(end: str) -> None:
    text = f"Shall we prune?\n\n{end}\nBerta Quill\nMill Lane 4"
    assert without_closing(text) == "Shall we prune?"
    assert (
        quoted("July.\n\n" + "\n".join(f"> {line}" for line in text.split("\n")))
        == "Shall we prune?"
    )
    assert own(f"{OWN}\n\n{end}\nAda") == f"{OWN}\n\n{end}\nAda"  # the user's own is his voice


def test_a_verse_under_a_sentence_is_no_letter() -> None:
    text = "He wrote me a note:\n\n> the mill is dark\n\nand I liked it."
    assert own(text) == "He wrote me a note:\n\nand I liked it."


@given(st.text(alphabet="> -_\nOnwrote:3 .@AmschriebFrom:Sent To", max_size=400))
def test_no_text_breaks_it(text: str) -> None:
    for block in blocks_of(text):
        assert block.text.strip()


def test_long_letters_take_no_longer_than_their_length() -> None:
    for piece in (
        "On 1 wrote ",
        "wrote 2024 " * 30 + "@ :\n",
        "> " * 200,
        "From: a\n",
        "-----",
        "On a\nwrote\n",
        "wrote " * 60,
    ):
        letter = (piece * 3000)[:100_000]
        assert sum(len(block.text) for block in blocks_of(letter)) <= len(letter)
    for line in ("liebenlieben" * 33, "with best " * 40, "mit " + "viele " * 60, "(" * 400):
        assert without_closing(f"Words.\n{line}\nBerta").startswith("Words.")
