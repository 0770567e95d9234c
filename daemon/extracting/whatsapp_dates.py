"""The dates and times in an export of WhatsApp, which writes them as the telephone does. Pure.

Which number is the day is recognised from the whole file: a chat goes forward in time. Only where
every order goes forward as well, the way of writing decides.
"""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

# A header's date: three numbers as they stand.
Date = tuple[int, int, int]
ORDERS = {"dmy": (2, 1, 0), "mdy": (2, 0, 1), "ymd": (0, 1, 2)}  # places of year, month, day
_IMPOSSIBLE = 10  # steps back that a date which does not exist weighs
_TOLERATED = 0.1  # of the dates: the share that may not exist before `23/12/31` counts as 2023
_ENOUGH_POSSIBLE = 0.5  # of the dates; below it the calendar is one that is not known here
_BUDDHIST_YEARS = 543
_UNIX_DAY = datetime.date(1970, 1, 1).toordinal()
_GOOD_YEARS = range(2009, 2200)  # WhatsApp began in 2009
_MORNING_WORDS = (
    "am a.m. a.m am. ص صباحا صباحًا पूर्वाह्न म.पू. सकाळी পূর্বাহ্ণ காலை ఉద. vorm. 上午 凌晨 早上 清晨 午前 "
    "오전 öö πμ π.μ. de. sa ق.ظ. дп д.п. ap. fm dop. pagi"
)
_EVENING_WORDS = (
    "pm p.m. p.m pm. م مساء مساءً अपराह्न म.उ. दुपारी অপরাহ্ণ மாலை సా. nachm. 下午 中午 晚上 傍晚 午後 "
    "오후 ös μμ μ.μ. du. ch ب.ظ. пп п.п. ip. em odp. malam"
)
_MORNING = frozenset(_MORNING_WORDS.split())
_EVENING = frozenset(_EVENING_WORDS.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class DateStyle:
    """How a file writes its dates."""

    order: str  # of ORDERS

    def moment(self, date: Date, time: tuple[int, int, int]) -> tuple[float, str] | None:
        """Seconds of the telephone's own clock, and the same as ISO writes it.

        None where there is no such day or time.
        """
        midnight = _midnight(date, self.order)
        hour, minute, second = time
        if midnight is None or hour > 23 or minute > 59 or second > 59:
            return None
        seconds, day = midnight
        seconds += hour * 3600 + minute * 60 + second
        return seconds, f"{day}T{hour:02}:{minute:02}:{second:02}"


def style_of(
    dates: Sequence[Date], *, has_slashes: bool, has_capital_halves: bool, is_padded: bool
) -> DateStyle | None:
    """The style in which a chat goes forward; None where no calendar known here fits.

    Args:
        dates: of the messages in their order; the same one need not come twice in a row.
        has_slashes, has_capital_halves, is_padded: `/` between the numbers, `AM` and `PM`, a zero
            before small ones: the American way has slashes, capitals and no zeros.
    """
    american = has_slashes and has_capital_halves and not is_padded
    ranked = ("mdy", "dmy", "ymd") if american else ("dmy", "mdy", "ymd")
    order = min(ranked, key=lambda order: _badness(dates, order))
    possible = sum(_day(date, order) is not None for date in dates)
    if possible < _ENOUGH_POSSIBLE * len(dates) or not possible:
        return None
    return DateStyle(order=order)


def time_of_day(hour: int, minute: int, second: int, half: str) -> tuple[int, int, int]:
    """On 24 hours. `half` is the word for before or after noon, in any language, or empty."""
    word = _plain(half)
    if 1 <= hour <= 12:
        if word in _MORNING:
            hour %= 12
        elif word in _EVENING:
            hour = hour % 12 + 12
    return hour, minute, second


def is_half(word: str) -> bool:
    """Whether a word beside a time says before or after noon."""
    return _plain(word) in _MORNING or _plain(word) in _EVENING


@lru_cache(maxsize=256)
def _plain(word: str) -> str:
    return re.sub(r"\s", "", word).casefold()


def _badness(dates: Sequence[Date], order: str) -> int:
    """Steps back in time; a day that does not exist counts for several."""
    bad = 0
    before: datetime.date | None = None
    if order == "ymd" and dates and dates[0][0] < 100:
        bad = _IMPOSSIBLE * (1 + int(_TOLERATED * len(dates)))
    for date in dates:
        day = _day(date, order)
        if day is None:
            bad += _IMPOSSIBLE
            continue
        if before is not None and day < before:
            bad += 1
        before = day
    return bad


@lru_cache(maxsize=256)
def _midnight(date: Date, order: str) -> tuple[float, str] | None:
    day = _day(date, order)
    return None if day is None else ((day.toordinal() - _UNIX_DAY) * 86400.0, day.isoformat())


def _day(date: Date, order: str) -> datetime.date | None:
    year, month, day = (date[place] for place in ORDERS[order])
    if year < 100:
        year += 2000
    elif year - _BUDDHIST_YEARS in _GOOD_YEARS:
        year -= _BUDDHIST_YEARS
    if year not in _GOOD_YEARS:
        return None
    try:
        return datetime.date(year, month, day)
    except ValueError:
        return None
