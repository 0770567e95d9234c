"""Names of others in what is said: which are found, and which cannot be told from words."""

import pytest

from daemon.extracting.chat_names import Names, Pseudonyms, same_name, shown_name

PEOPLE = [
    ("1", "Anna Berg"),
    ("2", "~\u202fUwe"),
    ("3", "Will"),
    ("4", "+49 170 1234567"),
    ("5", "🌸 Jo 🌸"),
    ("6", "Max Berg"),
]


def replaced(text: str) -> str:
    return Names(PEOPLE, me=("Max Ohm",)).replaced(text, Pseudonyms())


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("@Anna, @anna berg and @Uwe", "A, A and B"),
        ("@\u2068Anna Berg\u2069 @⁨~\u202fUwe⁩", "A B"),
        ("@491701234567, @4930111111 @+491701234567", "A, B A"),
        ("I saw Anna Berg there", "I saw A there"),
        ("call +49 170 1234567 now", "call +A now"),
        ("Uwe\nWill: yes\n> Anna: no\n- Jo", "A\nB: yes\n> C: no\n- D"),
        ("Jo, Jo come", "A, Jo come"),
        ("Anna! And\n*Anna:* too", "A! And\n*A:* too"),
        ("@⁨Max Ohm⁩ and Max, you", "@Max Ohm and Max, you"),
        ("Max, come\nMax Berg, too", "Max, come\nA, too"),
    ],
)
def test_names_are_found_where_somebody_is_called(text: str, kept: str) -> None:
    assert replaced(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "I will go, said Uwe",
        "will you come",
        "Annabel",
        "Jo man",  # so short that it may be one
        "the Uweish way",
        "anna@berg.example",
        "write to jo@anna.example",
        "Anna is here",  # a first name alone, not called
        "@",
        "",
    ],
)
def test_what_may_be_a_word_is_left(text: str) -> None:
    assert replaced(text) == text


def test_a_name_as_long_as_a_file_and_a_crowd_cost_little() -> None:
    crowd = Names([(f"{n}", f"Name{n} Family{n}") for n in range(5000)])
    text = "Name4999 Family4999 " * 5000 + "@" * 5000 + "a " * 50_000
    assert "Family" not in crowd.replaced(text, Pseudonyms())


def test_pseudonyms_go_on_after_z() -> None:
    pseudonyms = Pseudonyms()
    letters = [pseudonyms.of(f"{number}") for number in range(703)]
    assert letters[:3] == ["A", "B", "C"]
    assert letters[25:28] == ["Z", "AA", "AB"]
    assert letters[702] == "AAA"
    assert pseudonyms.of("0") == "A"


def test_names_are_compared_without_marks_and_capitals() -> None:
    assert same_name("\u200e~\u202fAnna\xa0 Berg\u2069 ") == same_name("anna berg")
    assert shown_name("\u202aAnna\u202c") == "Anna"
    assert "Anna" not in repr(Names(PEOPLE))
