"""National numbers: how each is usually written, and what its check digits say. Data.

A spelling names the lengths of its groups with what stands between, as `3.3.3-2`; letters are
`a`. With a spelling that other numbers have too, a word that names such a number has to stand
near, or the number alone in its line.
"""
# ruff: noqa: E501 - one rule a line

import re
from dataclasses import dataclass

from daemon.collecting import redaction_check_digits as check
from daemon.collecting.redaction_check_digits import Check


@dataclass(frozen=True, slots=True, kw_only=True)
class NationalId:
    """`own` spellings are enough by themselves; `shared` ones need a word near."""

    name: str
    own: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    check: Check
    word: re.Pattern[bytes] | None = None  # where the digits alone say too little


def _id(
    name: str, check: Check, own: str = "", shared: str = "", word: bytes | None = None
) -> NationalId:
    return NationalId(
        name=name, check=check, own=tuple(own.split("|")) if own else (),
        shared=tuple(shared.split("|")) if shared else (),
        word=re.compile(word) if word else None,
    )  # fmt: skip


NATIONAL_IDS = (
    _id("canada sin", check.sin, "3-3-3", "9|3 3 3"),
    _id("mexico curp", check.curp, "4a6 6a1 1"),
    _id("brazil cpf", check.cpf, "3.3.3-2|11|3.3.3.2|9-2|3 3 3 2|3-3-3-2"),
    _id("brazil cnpj", check.cnpj, "2.3.3/4-2|14|8/4-2|2 3 3 4 2|12-2"),
    _id("brazil pis", check.pis, "3.5.2-1", "11"),
    _id("argentina cuit", check.cuit, "2-8-1|2 8 1|11"),
    _id("chile rut", check.rut, "2.3.3-1|1.3.3-1|8-1|7-1|2.3.3-a|1.3.3-a|8-a|7-a"),
    _id("germany tax id", check.german_tax_id, "11|2 3 3 3|2 3 3 2 1|3 3 3 2|2/3/3/3"),
    _id("germany pension", check.german_pension, "8a3|2 6 a 3|2 6a3|8 a 3|2 6 a3"),
    _id("austria insurance", check.austrian_insurance, "4 6|4-6|4/6", "10"),
    _id("switzerland ahv", check.swiss_ahv, "3.4.4.2|13|3 4 4 2|3-4-4-2"),
    _id("france nir", check.french_nir, "15|1 2 2 2 3 3 2|13 2|1.2.2.2.3.3.2|1-2-2-2-3-3-2|1 2 2 2 3 3-2|1 2 2 2 3 3/2|1 2 2 2 6 2"),
    _id("spain dni", check.spanish_dni, "8a|8-a|8 a|2.3.3-a|2.3.3a|2 3 3 a|2.3.3 a"),
    _id("spain nie", check.spanish_dni, "a7a|a-7-a|a-7a|a7-a|a 7 a"),
    _id("spain social", check.spanish_social, "2/8/2|2 8 2|2/10", "12|2-8-2"),
    _id("italy codice fiscale", check.italian_fiscal, "cf"),
    _id("portugal nif", check.portuguese_nif, "", "9|3 3 3"),
    _id("netherlands bsn", check.dutch_bsn, "4.2.3", "9|8|3 3 3|3.3.3|4 2 3|2 2 2 3"),
    _id("belgium rrn", check.belgian_rrn, "2.2.2-3.2|11|6-3-2|2 2 2 3 2|2.2.2-3-2|6 3 2|6 3-2|2.2.2.3.2"),
    _id("uk nino", check.british_nino, "2a2 2 2 a|2a6a|2a 2 2 2 a|2a6 a|2a 6 a"),
    _id("uk nhs", check.nhs, "", "10|3 3 4|3-3-4"),
    _id("ireland pps", check.irish, "7a|7aa"),
    _id("poland pesel", check.pesel, "11"),
    _id("poland nip", check.polish_nip, "3-3-2-2|3-2-2-3", "10|3 3 2 2"),
    _id("poland regon", check.polish_regon, "", "9"),
    _id("sweden", check.swedish, "6-4|8-4|6+4|12", "10|6 4|8 4"),
    _id("norway", check.norwegian, "11|6 5|6-5|2 2 2 5|2.2.2 5"),
    _id("finland", check.finnish, "6-3a|6-4|6a3a|6a4|6+3a|6+4"),
    _id("denmark", check.danish_checked, "6-4", "10|6 4"),
    _id("denmark", check.danish, "", "10|6-4|6 4", rb"\bcpr|person|\bid\b"),
    _id("iceland", check.icelandic, "6-4", "10|6 4"),
    _id("czechia and slovakia", check.czech, "6/4", "10|6 4"),
    _id("romania", check.romanian, "13"),
    _id("bulgaria", check.bulgarian, "10"),
    _id("former yugoslavia", check.jmbg, "13"),
    _id("croatia oib", check.mod11_10, "11"),
    _id("estonia and lithuania", check.baltic, "11"),
    _id("latvia", check.latvian, "6-5", "11"),
    _id("greece amka", check.amka, "11"),
    _id("greece afm", check.afm, "", "9"),
    _id("hungary taj", check.hungarian_taj, "", "9|3 3 3|3-3-3"),
    _id("turkey", check.turkish, "11|3 3 3 2"),
    _id("russia snils", check.snils, "3-3-3 2|3-3-3-2|11"),
    _id("russia inn", check.russian_inn, "12", "10"),
    _id("israel", check.luhn, "8-1", "9"),
    _id("south africa", check.south_african, "13|6 4 3|6 4 2 1|6 4 1 2|6 4 1 1 1"),
    _id("india aadhaar", check.aadhaar, "12|4 4 4|4-4-4"),
    _id("india pan", check.indian_pan, "", "pan"),
    _id("china", check.chinese, "18|17a|6 8 4|6 8 3a"),
    _id("hong kong", check.hong_kong, "a6(1)|a6(a)|2a6(1)|2a6(a)"),
    _id("taiwan", check.taiwanese, "a9"),
    _id("singapore", check.singaporean, "a7a"),
    _id("south korea", check.korean, "6-7", "13"),
    _id("japan my number", check.my_number, "", "12|4 4 4|4-4-4"),
    _id("thailand", check.thai, "1-4-5-2-1|13|1 4 5 2 1"),
    _id("malaysia", check.malaysian, "6-2-4"),
    _id("australia tfn", check.tfn, "", "9|3 3 3|8|3-3-3"),
    _id("us ssn", check.us_ssn, "3-2-4", "9|3 2 4|3.2.4", rb"\bssn|social.?sec|\bitin"),
    _id("australia medicare", check.medicare, "4 5 1|4-5-1|4 5 1/1", "10|11"),
)  # fmt: skip

Spellings = dict[str, tuple[tuple[NationalId, bool], ...]]


def _by_spelling() -> Spellings:
    found: dict[str, list[tuple[NationalId, bool]]] = {}
    for one in NATIONAL_IDS:
        for spelling in one.own:
            found.setdefault(spelling, []).append((one, True))
        for spelling in one.shared:
            found.setdefault(spelling, []).append((one, False))
    return {spelling: tuple(ids) for spelling, ids in found.items()}


SPELLINGS = _by_spelling()

# Folded words that say that a national number is near.
NAMED = re.compile(
    rb"\b(?:ssn|soc(?:ial)?[ .-]?sec|social|sozialvers|s[ae]guridad|securite|insurance|versicherung|"
    rb"tax|steuer|fiscal|fiscale|impot|contribuinte|contribuente|nif\b|nie\b|dni\b|nir\b|cpf\b|"
    rb"cnpj\b|pis\b|bsn\b|burgerservice|sofi|nhs\b|sin\b|s\.i\.n|tfn\b|medicare|national|nationaal|"
    rb"identi|identity|id[ -]?(?:card|no|nr|number)|id:|personnummer|personal|person(?:en)?kenn|"
    rb"cpr\b|kennitala|henkilo|hetu\b|fodselsn|ahv|avs\b|pesel|nip\b|regon|rodne|rc\b|r\.c\.|cnp\b|"
    rb"egn\b|oib\b|jmbg|emso|amka|afm\b|taj\b|tc[ -]?kimlik|tckn|snils|inn\b|teudat|"
    rb"aadhaar|aadhar|uidai|pan\b|my[ -]?number|rrn\b|resident|nino\b|patient|passport|svnr|"
    rb"rijksregister|registre national|insee|cuit|cuil|rut\b|curp)"
)
