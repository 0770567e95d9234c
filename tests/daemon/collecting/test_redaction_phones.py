"""Telephone numbers as people write them, and what only looks like one."""

import pytest

from daemon.collecting.redaction import find_named

PHONES = """
+49 30 901820 | +49 (0)30 901820 | +1 555 123 4567 | +1-555-123-4567 | +1 (555) 123-4567
+1.555.123.4567 | +44 20 7946 0958 | +44 (0)20 7946 0958 | +33 1 23 45 67 89 | +33612345678
+4917112345678 | 0049 171 1234567 | +55 11 91234-5678 | +7 495 123-45-67 | +91 98765 43210
+86 138 1234 5678 | +61 412 345 678 | +39 06 1234 5678 | +34 612 345 678 | +46 70 123 45 67
+358 40 1234567 | +48 601 234 567 | +420 601 123 456 | +353 85 123 4567 | +972-50-123-4567
(555) 123-4567 | 555-123-4567 | 555.123.4567 | 1-800-555-0199 | 1 555 123 4567 | 555 123 4567
030 901820 | 030/901820 | 030-901820 | 0171/1234567 | 0171 1234567 | 01711234567
(030) 12 34 56 78 | 089 / 123 456 78 | 01 23 45 67 89 | 01.23.45.67.89 | 06 12 34 56 78
06-12-34-56-78 | 020 7946 0958 | 07700 900123 | 07700900123 | (0121) 496 0123 | 06 1234 5678
333 123 4567 | 06-12345678 | 020-1234567 | (11) 91234-5678 | 98765 43210 | 8 (495) 123-45-67
03-1234-5678 | 090-1234-5678 | 138 1234 5678 | 0412 345 678 | (02) 9876 5432 | 08-123 456 78
070-123 45 67 | 044 668 18 00 | 0151 23456789 | 0043 1 5123456
"""
NAMED = """
tel. 612 345 678 | Tel: 12 34 56 78 | phone: 22 123 45 67 | Call me at 555-1234
my number is 5551234 | Phone 5551234567 | whatsapp 3331234567 | Tel.: 9876543 | Handy 1711234567
Fax: 901820-12 | mobile number 601234567 | téléphone : 23 45 67 89 | Telefonnummer: 901820
тел. 123-45-67 | 电话：12345678
"""


def listed(text: str) -> list[str]:
    return [one.strip() for one in text.replace("\n", "|").split("|") if one.strip()]


@pytest.mark.parametrize("phone", listed(PHONES))
@pytest.mark.parametrize("around", ["{}", "Call {}.", "Anna ({})", "tel:{},", "a\n{}\nb", "**{}**"])
def test_a_telephone_number_is_found(phone: str, around: str) -> None:
    text = around.replace("{}", phone)
    (find,) = [one for one in find_named(text) if one.kind == "phone"] or find_named(text)
    digits = "".join(filter(str.isdigit, text[find.start : find.end]))
    assert digits == "".join(filter(str.isdigit, phone))


@pytest.mark.parametrize("text", listed(NAMED))
def test_a_run_of_digits_after_a_word_for_it_is_one(text: str) -> None:
    (find,) = find_named(text)
    assert find.kind == "phone"


@pytest.mark.parametrize(
    "text",
    """
On 12.03.2019 at 14:30 we met | 2019-03-12T14:30:00 | from 01.02.2003 to 03.04.2005
01/02/2003 and 1/2/2003 4/5/2006 | On 03.04.2021 05:00 | 1914-1918 and 1939-1945
ISBN 978-3-16-148410-0 | ISBN 0-306-40615-2 | pages 123-4567 and 800-1200 | pp. 203-219
1.234.567,89 or 1,234,567.89 | 12 345 678 | 10 000 000 people | 192.168.100.200
10.0.0.1 and 255.255.255.0 | 1. e4 e5 2. Nf3 Nc6 3. Bb5 a6 | John 3:16, Psalm 119:105-112
+5 degrees, -3, +1000000 | The score was 6-4 6-3 7-5 | room 0.123 | 3.141592653589793
version 10.0.19045.3803 | lat 52.520008, lon 13.404954 | timestamp 1700000000
order 1234567890 | postcode 12345-6789 | 12 34 56 78 90 | Chapter 12-34-5678
tel. 3 | call 911 or 112 | call him on 12.03.2019 | call it 2001 2002 | 1800-1900 | 24/7
I rang 3 times in 1999 | 0.75 0.80 0.85 0.90 | 01 02 03 04 05 06 | 02:03:04.050607
№ 12-345 | §§ 12-34 | 5 000 000 - 6 000 000 | 1+1=2, 2+2=4 | 555-1234 is no number here
991 997 1009 1013 1019 1021 1031 1033 1039 1049 1051
""".replace("\n", "|")
    .strip("|")
    .split("|"),
)
def test_what_only_looks_like_one_stays(text: str) -> None:
    assert not find_named(f"We read: {text.strip()} today.")
