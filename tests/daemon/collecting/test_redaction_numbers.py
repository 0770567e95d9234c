"""Numbers with check digits: genuine ones in their usual spellings, and numbers that are none."""

import random

import pytest

from daemon.collecting import redaction_check_digits as check
from daemon.collecting.redaction import find_named
from daemon.collecting.redaction_national_ids import NATIONAL_IDS
from daemon.collecting.redaction_numbers import _IBAN_LENGTHS

# Numbers that authorities and standards publish as examples; none is anybody's.
NATIONAL = {
    "us ssn": ["078-05-1120", "SSN: 078051120", "Social Security 078 05 1120"],
    "canada sin": ["046-454-286", "SIN 046 454 286"],
    "mexico curp": ["BOXW310820HNERXN09"],
    "brazil cpf": ["111.444.777-35", "11144477735"],
    "brazil cnpj": ["11.222.333/0001-81", "11222333000181"],
    "brazil pis": ["120.56874.10-7"],
    "argentina cuit": ["20-05536168-2", "20055361682"],
    "chile rut": ["12.531.909-2", "76086428-5"],
    "germany tax id": ["86095742719", "47 036 892 816"],
    "germany pension": ["15070649C103", "15 070649 C 103"],
    "austria insurance": ["1237 010180"],
    "switzerland ahv": ["756.1234.5678.97", "7569217076985"],
    "france nir": ["2 55 08 14 168 025 38", "255081416802538"],
    "spain dni": ["12345678Z", "12.345.678-Z", "12345678-Z"],
    "spain nie": ["X1234567L", "X-1234567-L"],
    "spain social": ["28/12345678/40"],
    "italy codice fiscale": ["RSSMRA85T10A562S"],
    "portugal nif": ["NIF 501964843"],
    "netherlands bsn": ["1112.22.333", "BSN 111222333"],
    "belgium rrn": ["85.07.30-033.28", "85073003328"],
    "uk nino": ["AB 12 34 56 C", "AB123456C"],
    "uk nhs": ["NHS number 943 476 5919"],
    "ireland pps": ["1234567T", "6433435F", "1234567FA"],
    "poland pesel": ["44051401359", "PESEL: 02070803628"],
    "poland nip": ["123-456-32-18"],
    "poland regon": ["REGON 123456785"],
    "sweden": ["811218-9876", "19811218-9876", "640823-3234"],
    "norway": ["15076500565", "150765 00565"],
    "finland": ["131052-308T"],
    "denmark": ["CPR 010180-1234", "211062-5629"],
    "iceland": ["120174-3399"],
    "czechia and slovakia": ["736028/5163"],
    "romania": ["1630615123457", "1800101221144"],
    "bulgaria": ["7523169263"],
    "former yugoslavia": ["0101006500006"],
    "croatia oib": ["33392005961"],
    "estonia and lithuania": ["37605030299"],
    "latvia": ["161175-19997"],
    "greece amka": ["01013099997"],
    "greece afm": ["AFM 094259216"],
    "hungary taj": ["TAJ 123 456 788"],
    "turkey": ["10000000146"],
    "russia snils": ["112-233-445 95"],
    "russia inn": ["500100732259", "INN 7707083893"],
    "israel": ["teudat zehut 039337423"],
    "south africa": ["7503305044089"],
    "india aadhaar": ["2341 2341 2346", "234123412346"],
    "india pan": ["PAN: ABCPE1234F"],
    "china": ["11010519491231002X"],
    "hong kong": ["A123456(3)"],
    "taiwan": ["A123456789"],
    "singapore": ["S1234567D"],
    "south korea": ["971013-9019902"],
    "japan my number": ["My Number 1234 5678 9018"],
    "thailand": ["1-2345-45678-78-1"],
    "malaysia": ["770305-02-1234"],
    "australia tfn": ["TFN: 123 456 782"],
    "australia medicare": ["2123 45670 1"],
}
# Of the payment industry's test cards.
CARDS = ["4111111111111111", "4012888888881881", "5500000000000004", "5105105105105100",
         "2223003122003222", "378282246310005", "371449635398431", "6011111111111117",
         "6011000990139424", "3530111333300000", "30569309025904", "38520000023237",
         "6304000000000000", "6200000000000005", "4222222222222", "2200000000000004"]  # fmt: skip


def kinds(text: str) -> set[str]:
    return {one.kind for one in find_named(text)}


def test_every_national_number_has_an_example() -> None:
    assert set(NATIONAL) == {one.name for one in NATIONAL_IDS}


@pytest.mark.parametrize("text", [text for texts in NATIONAL.values() for text in texts])
@pytest.mark.parametrize("around", ["{}", "It is {}.", "id,{},1990", "({})", "ID={};", "\n{}\n"])
def test_a_national_number_is_found(text: str, around: str) -> None:
    (find,) = find_named(around.replace("{}", text))
    assert find.kind == "national id"
    value = around.replace("{}", text)[find.start : find.end]
    assert text.endswith(value)
    assert sum(map(str.isdigit, value)) == sum(map(str.isdigit, text))


def test_a_digit_that_is_wrong_makes_it_another_number() -> None:
    """At most one in ten may still pass, by the nature of a check digit."""
    chance, tried, found = random.Random(5), 0, 0
    for name, texts in NATIONAL.items():
        if name in ("us ssn", "uk nino", "malaysia", "india pan", "denmark", "south korea"):
            continue  # these have none
        for text in texts:
            places = [index for index, sign in enumerate(text) if sign.isdigit()]
            for place in chance.sample(places, 4):
                other = str((int(text[place]) + chance.randint(1, 9)) % 10)
                changed = text[:place] + other + text[place + 1 :]
                tried += 1
                found += "national id" in kinds(f"on {changed} it")
    assert found <= tried / 4  # some fit another country


def spelled(card: str, sign: str) -> str:
    sizes = {15: (4, 6, 5), 14: (4, 6, 4)}.get(len(card), (4, 4, 4, 4, 4))
    groups, at = [], 0
    for size in sizes:
        groups.append(card[at : at + size])
        at += size
    return sign.join(group for group in groups if group)


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("sign", ["", " ", "-", "\u00a0", "\u202f"])
@pytest.mark.parametrize("around", ["{}", "Visa {} 12/27 123", "card: {}, 09/28", '"{}"'])
def test_a_payment_card_is_found(card: str, sign: str, around: str) -> None:
    text = around.replace("{}", spelled(card, sign))
    (find,) = find_named(text)
    assert (find.kind, text[find.start : find.end]) == ("card", spelled(card, sign))


@pytest.mark.parametrize("card", CARDS)
def test_a_card_with_a_wrong_digit_stays(card: str) -> None:
    wrong = card[:-1] + str((int(card[-1]) + 3) % 10)
    assert "card" not in kinds(f"number {wrong} here")


def make_iban(country: str, seed: int) -> str:
    chance = random.Random(f"{country}{seed}")
    rest = "".join(chance.choice("0123456789") for _ in range(_IBAN_LENGTHS[country] - 4))
    number = int("".join(str(int(sign, 36)) for sign in rest + country + "00"))
    return f"{country}{98 - number % 97:02d}{rest}"


@pytest.mark.parametrize("country", _IBAN_LENGTHS)
@pytest.mark.parametrize("sign", ["", " ", "-"])
def test_an_iban_is_found(country: str, sign: str) -> None:
    plain = make_iban(country, 1)
    iban = sign.join(plain[at : at + 4] for at in range(0, len(plain), 4))
    for text in (iban, f"IBAN: {iban}", f"to {iban}, soon.", f"konto {iban.lower()} und"):
        (find,) = find_named(text)
        assert find.kind == "iban"
        assert text[find.start : find.end].casefold() == iban.casefold()


@pytest.mark.parametrize("country", _IBAN_LENGTHS)
def test_an_iban_with_wrong_check_digits_stays(country: str) -> None:
    plain = make_iban(country, 2)
    wrong = f"{plain[:2]}{(int(plain[2:4]) + 1) % 97:02d}{plain[4:]}"
    assert "iban" not in kinds(f"to {wrong} soon")


@pytest.mark.parametrize(
    "text",
    [
        "It happened in 1848, 1871, 1914, 1939 and 1989.",
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
        "4111 4127 4129 4133 4139 4153 4157 4159 4177 4201 4211 4217 4219 4229 4231 4241",
        "2081 2083 2087 2089 2099 2111 2113 2129 2131 2137 2141 2143 2153 2161 2179 2203 2207",
        "10 000 000 people and 1.234.567,89 euros and $1,234,567.89",
        "ISBN 978-3-16-148410-0 and ISBN 0-306-40615-2",
        "3.141592653589793 and 0.00011001100",
        "1700000000 and 1700000000000",
        "from 20231105-1430 to 231105-1431",
        "order 123456789 of 1234567890",
        "id 123e4567-e89b-12d3-a456-426614174000",
        "GPS 52.520008, 13.404954",
        "The prime 2147483647",
        "0101 0110 1010 0101 0110",
        "version 10.0.19045.3803 at 192.168.100.200",
        "AB12 and CD345",
        "ZIP 12345-6789",
    ],
)
def test_other_numbers_stay(text: str) -> None:
    assert not find_named(f"We read: {text} today.")


@pytest.mark.parametrize(
    ("function", "good", "bad"),
    [
        (check.luhn, "79927398713", "79927398710"),
        (check.verhoeff, "2363", "2364"),
        (check.mod97_10, "3214282912345698765432161182", "3214282912345698765432161183"),
        (check.mod11_10, "33392005961", "33392005962"),
        (check.ean, "4006381333931", "4006381333932"),
    ],
)
def test_the_algorithms_say_what_their_standards_say(
    function: check.Check, good: str, bad: str
) -> None:
    assert function(good)
    assert not function(bad)
