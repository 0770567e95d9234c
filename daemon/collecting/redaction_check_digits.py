"""Check digits, as the authorities that give out the numbers define them. Pure.

All take the digits (or letters and digits in capitals) without separators and say whether they can
be genuine. Where a date of birth is part of a number, it has to be one.
"""

import calendar
from collections.abc import Callable, Sequence

Check = Callable[[str], bool]


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1."""
    total = 0
    for index, sign in enumerate(reversed(digits)):
        value = int(sign) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


_D5 = [[(i + j) % 5 if i < 5 and j < 5 else 0 for j in range(10)] for i in range(10)]
for _i in range(10):
    for _j in range(10):
        if _i < 5:
            _D5[_i][_j] = (_i + _j) % 5 if _j < 5 else 5 + (_i + _j) % 5
        else:
            _D5[_i][_j] = 5 + (_i - _j) % 5 if _j < 5 else (_i - _j) % 5
_PERMUTE = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]


def verhoeff(digits: str) -> bool:
    """Verhoeff 1969, over the dihedral group of order ten."""
    check = 0
    for index, sign in enumerate(reversed(digits)):
        value = int(sign)
        for _ in range(index % 8):
            value = _PERMUTE[value]
        check = _D5[check][value]
    return check == 0


def mod97_10(signs: str) -> bool:
    """ISO 7064 MOD 97-10; letters count as 10 to 35."""
    return int("".join(str(int(sign, 36)) for sign in signs)) % 97 == 1


def mod11_10(digits: str) -> bool:
    """ISO 7064 MOD 11,10."""
    product = 10
    for sign in digits[:-1]:
        total = (int(sign) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(digits[-1])


def weighted(digits: str, weights: Sequence[int]) -> int:
    return sum(int(sign) * weight for sign, weight in zip(digits, weights))


def ean(digits: str) -> bool:
    return weighted(digits, [1, 3] * 10) % 10 == 0 if len(digits) % 2 else False


def is_day(year: int, month: int, day: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year or 2000, month)[1]


def birth(digits: str, order: str = "ymd", *, month_off: Sequence[int] = (0,)) -> bool:
    """Whether six digits are a day of some century; months may carry the century or the sex."""
    at = {sign: int(digits[2 * index : 2 * index + 2]) for index, sign in enumerate(order)}
    return any(
        is_day(
            2000 if at["m"] - off == 2 and at["y"] % 4 == 0 else 1900 + at["y"],
            at["m"] - off,
            at["d"],
        )
        for off in month_off
        if 1 <= at["m"] - off <= 12
    )


def varied(digits: str) -> bool:
    """Not one digit over and over."""
    return len(set(digits)) > 2


# --------------------------------------------------------------------------- by country


def us_ssn(d: str) -> bool:
    return (
        d[:3] not in ("000", "666")
        and d[0] != "9"
        and d[3:5] != "00"
        and d[5:] != "0000"
        and varied(d)
    )


def german_tax_id(d: str) -> bool:
    counts = sorted(d[:10].count(sign) for sign in set(d[:10]))
    return d[0] != "0" and counts[-1] in (2, 3) and mod11_10(d)


def german_pension(s: str) -> bool:
    digits = s[:8] + f"{ord(s[8]) - 64:02d}" + s[9:11]
    sums = weighted_cross(digits, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1))
    return 1 <= int(s[4:6]) <= 12 and 1 <= int(s[2:4]) <= 31 + 50 and sums % 10 == int(s[11])


def weighted_cross(digits: str, weights: Sequence[int]) -> int:
    """The sum of the digits of the products."""
    products = (int(sign) * weight for sign, weight in zip(digits, weights))
    return sum(product // 10 + product % 10 for product in products)


def austrian_insurance(d: str) -> bool:
    check = weighted(d, (3, 7, 9, 0, 5, 8, 4, 2, 1, 6)) % 11
    return d[0] != "0" and int(d[3]) == check and 1 <= int(d[4:6]) <= 31 and 1 <= int(d[6:8]) <= 15


def french_nir(s: str) -> bool:
    number = s[:13].replace("2A", "19").replace("2B", "18")
    month = int(s[3:5])
    return (
        s[0] in "12378" and (1 <= month <= 12 or month >= 20)
        and number.isdigit() and 97 - int(number) % 97 == int(s[13:15])
    )  # fmt: skip


def spanish_dni(s: str) -> bool:
    number = s[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")
    return number.isdigit() and "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == s[-1]


def spanish_social(d: str) -> bool:
    number = int(d[2:10])
    whole = int(d[:2]) * 10**7 + number if number < 10**7 else int(d[:10])
    return 1 <= int(d[:2]) <= 66 and whole % 97 == int(d[10:])


_CF_ODD = dict(
    zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3,
         6, 8, 12, 14, 16, 10, 22, 25, 24, 23), strict=True)
)  # fmt: skip


def italian_fiscal(s: str) -> bool:
    total = sum(
        _CF_ODD[sign] if index % 2 == 0 else int(sign, 36) - (0 if sign.isdigit() else 10)
        for index, sign in enumerate(s[:15])
    )
    return s[8] in "ABCDEHLMPRST" and chr(65 + total % 26) == s[15]


def dutch_bsn(d: str) -> bool:
    return varied(d) and weighted(d.zfill(9), (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def belgian_rrn(d: str) -> bool:
    number = int(d[:9])
    right = int(d[9:]) in (97 - number % 97, 97 - (2 * 10**9 + number) % 97)
    month = int(d[2:4])
    return right and (month % 20 <= 12 and month < 53) and int(d[4:6]) <= 31


def pesel(d: str) -> bool:
    return weighted(d, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0 and birth(
        d, month_off=(0, 20, 40, 60, 80)
    )


def polish_nip(d: str) -> bool:
    return varied(d) and weighted(d, (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11 == int(d[9])


def polish_regon(d: str) -> bool:
    return varied(d) and weighted(d, (8, 9, 2, 3, 4, 5, 6, 7)) % 11 % 10 == int(d[8])


def swedish(d: str) -> bool:
    day = int(d[-6:-4])
    date = d[-10:-6] + f"{day - 60 if day > 60 else day:02d}"
    moment = d > "2012" and d[8:10] < "24" and d[10:] < "60"  # a time after a day of late
    good = len(d) == 10 or (d[:2] in ("18", "19", "20") and not moment)
    return birth(date) and luhn(d[-10:]) and good


def norwegian(d: str) -> bool:
    first = weighted(d, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11
    second = weighted(d, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11
    day = int(d[:2])
    date = f"{day - 40 if day > 40 else day:02d}" + d[2:6]
    return first == 0 and second == 0 and birth(date, "dmy", month_off=(0, 40, 80))


def finnish(s: str) -> bool:
    number = int(s[:6] + s[-4:-1])
    return birth(s[:6], "dmy") and "0123456789ABCDEFHJKLMNPRSTUVWXY"[number % 31] == s[-1]


def danish(d: str) -> bool:
    return birth(d[:6], "dmy") and varied(d)  # since 2007 the check digit need not fit


def danish_checked(d: str) -> bool:
    return danish(d) and weighted(d, (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def icelandic(d: str) -> bool:
    return (
        birth(d[:6], "dmy") and weighted(d, (3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0 and d[9] in "890"
    )


def portuguese_nif(d: str) -> bool:
    check = 11 - weighted(d, (9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return d[0] in "123568" and (check if check < 10 else 0) == int(d[8]) and varied(d)


def _two_mod11(d: str, first: Sequence[int], second: Sequence[int]) -> bool:
    one = 11 - weighted(d, first) % 11
    two = 11 - weighted(d, second) % 11
    return (one if one < 10 else 0) == int(d[-2]) and (two if two < 10 else 0) == int(d[-1])


def cpf(d: str) -> bool:
    return len(set(d)) > 1 and _two_mod11(d, range(10, 1, -1), range(11, 1, -1))


def cnpj(d: str) -> bool:
    weights = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    return len(set(d)) > 1 and _two_mod11(d, weights[1:], weights)


def pis(d: str) -> bool:
    check = 11 - weighted(d, (3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return varied(d) and (check if check < 10 else 0) == int(d[10])


def aadhaar(d: str) -> bool:
    return d[0] in "23456789" and varied(d) and verhoeff(d)


def chinese(s: str) -> bool:
    year, month, day = int(s[6:10]), int(s[10:12]), int(s[12:14])
    weights = [2 ** (17 - index) % 11 for index in range(17)]
    good = "10X98765432"[weighted(s, weights) % 11] == s[17]
    return 1880 <= year <= 2100 and is_day(year, month, day) and good and s[0] in "12345678"


def nhs(d: str) -> bool:
    check = 11 - weighted(d, range(10, 1, -1)) % 11
    return check != 10 and check % 11 == int(d[9]) and varied(d)


def sin(d: str) -> bool:
    return d[0] != "8" and luhn(d) and varied(d)


def tfn(d: str) -> bool:
    return varied(d) and weighted(d, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def medicare(d: str) -> bool:
    return d[0] in "23456" and weighted(d, (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(d[8])


def swiss_ahv(d: str) -> bool:
    return d.startswith("756") and ean(d)


def turkish(d: str) -> bool:
    odd, even = sum(map(int, d[0:9:2])), sum(map(int, d[1:8:2]))
    return (
        d[0] != "0"
        and (7 * odd - even) % 10 == int(d[9])
        and sum(map(int, d[:10])) % 10 == int(d[10])
    )


def czech(d: str) -> bool:
    good = int(d) % 11 == 0 or (int(d[:9]) % 11 == 10 and d[9] == "0")
    return good and birth(d, month_off=(0, 20, 50, 70))


def romanian(d: str) -> bool:
    check = weighted(d, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return d[0] in "12345678" and birth(d[1:7]) and (1 if check == 10 else check) == int(d[12])


def bulgarian(d: str) -> bool:
    check = weighted(d, (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10
    return birth(d, month_off=(0, 20, 40)) and check == int(d[9])


def jmbg(d: str) -> bool:
    check = 11 - weighted(d, (7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    date = d[:4] + d[5:7]
    return d[4] in "890" and birth(date, "dmy") and (check if check < 10 else 0) == int(d[12])


def baltic(d: str) -> bool:
    check = weighted(d, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if check == 10:
        check = weighted(d, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return d[0] in "12345678" and birth(d[1:7]) and check == int(d[10])


def latvian(d: str) -> bool:
    weights = (1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return birth(d[:6], "dmy") and (1101 - weighted(d, weights)) % 11 == int(d[10])


def amka(d: str) -> bool:
    return birth(d[:6], "dmy") and luhn(d)


def afm(d: str) -> bool:
    return varied(d) and weighted(d, (256, 128, 64, 32, 16, 8, 4, 2)) % 11 % 10 == int(d[8])


def irish(s: str) -> bool:
    extra = (ord(s[8]) - 64) * 9 if len(s) > 8 and s[8] != "W" else 0
    return "WABCDEFGHIJKLMNOPQRSTUV"[(weighted(s, (8, 7, 6, 5, 4, 3, 2)) + extra) % 23] == s[7]


def korean(d: str) -> bool:
    check = (11 - weighted(d, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10
    return birth(d[:6]) and (check == int(d[12]) or d[0] in "012")


def my_number(d: str) -> bool:
    rest = weighted(d, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return varied(d) and (0 if rest <= 1 else 11 - rest) == int(d[11])


def south_african(d: str) -> bool:
    return birth(d[:6]) and d[10] in "012" and luhn(d)


def cuit(d: str) -> bool:
    check = 11 - weighted(d, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return d[:2] in ("20", "23", "24", "27", "30", "33", "34") and {11: 0, 10: 9}.get(
        check, check
    ) == int(d[10])


def rut(s: str) -> bool:
    weights = [2 + index % 6 for index in range(len(s) - 1)]
    check = 11 - weighted(s[-2::-1], weights) % 11
    return varied(s[:-1]) and {11: "0", 10: "K"}.get(check, str(check)) == s[-1]


def curp(s: str) -> bool:
    order = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(order.index(sign) * (18 - index) for index, sign in enumerate(s[:17]))
    return birth(s[4:10]) and s[10] in "HMX" and (10 - total % 10) % 10 == int(s[17])


def snils(d: str) -> bool:
    rest = weighted(d, range(9, 0, -1)) % 101
    return varied(d) and rest % 100 == int(d[9:])


def russian_inn(d: str) -> bool:
    if len(d) == 10:
        return varied(d) and weighted(d, (2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10 == int(d[9])
    one = weighted(d, (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10
    two = weighted(d, (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10
    return varied(d) and one == int(d[10]) and two == int(d[11])


def thai(d: str) -> bool:
    return (
        d[0] in "12345678"
        and varied(d)
        and (11 - weighted(d, range(13, 1, -1)) % 11) % 10 == int(d[12])
    )


def malaysian(d: str) -> bool:
    return birth(d[:6])


def hungarian_taj(d: str) -> bool:
    return varied(d) and weighted(d, (3, 7, 3, 7, 3, 7, 3, 7)) % 10 == int(d[8])


def hong_kong(s: str) -> bool:
    values = [36] * (9 - len(s)) + [int(sign, 36) for sign in s[:-1]]
    total = sum(value * weight for value, weight in zip(values, range(9, 1, -1)))
    return "0123456789A"[(11 - total % 11) % 11] == s[-1]


def singaporean(s: str) -> bool:
    total = weighted(s[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(s[0], 0)
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK",
               "M": "KLJNPQRTUWX"}.get(s[0], "")  # fmt: skip
    index = 10 - total % 11 if s[0] == "M" else total % 11
    return bool(letters) and letters[index] == s[8]


def taiwanese(s: str) -> bool:
    code = "ABCDEFGHJKLMNPQRSTUVXYWZIO".find(s[0]) + 10
    return (
        code >= 10
        and s[1] in "1289"
        and (code // 10 + code % 10 * 9 + weighted(s[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1))) % 10 == 0
    )


def british_nino(s: str) -> bool:
    return (
        s[0] not in "DFIQUV" and s[1] not in "DFIOQUV"
        and s[:2] not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ") and s[8] in "ABCD"
    )  # fmt: skip


def indian_pan(s: str) -> bool:
    return s[3] in "PCHFATBLJG"
