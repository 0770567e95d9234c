"""Exports of WhatsApp as telephones write them, in many languages."""

import datetime
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.collecting.skipping import SkipReason
from daemon.extracting import whatsapp
from daemon.extracting.errors import Unreadable
from tests.daemon.extracting.chat_reading import ME, documents, own_words, spoken

# One evening and the next noon, as each telephone writes the two times.
STYLES = {
    "de android": ("31.12.23, 22:05 - ", "01.01.24, 12:30 - "),
    "de ios": ("[31.12.23, 22:05:09] ", "[01.01.24, 12:30:00] "),
    "us android": ("12/31/23, 10:05 PM - ", "1/1/24, 12:30 PM - "),
    "us android, narrow space": ("12/31/23, 10:05\u202fPM - ", "1/1/24, 12:30\u202fPM - "),
    "us ios": ("\u200e[12/31/23, 10:05:09\u202fPM] ", "[1/1/24, 12:30:00\u202fPM] "),
    "gb android": ("31/12/2023, 22:05 - ", "01/01/2024, 12:30 - "),
    "in android": ("31/12/23, 10:05 pm - ", "01/01/24, 12:30 pm - "),
    "au ios": ("[31/12/2023, 10:05:09 pm] ", "[1/1/2024, 12:30:00 pm] "),
    "es android": ("31/12/23, 10:05 p. m. - ", "1/1/24, 12:30 p. m. - "),
    "es android, old": ("31/12/23 22:05 - ", "1/1/24 12:30 - "),
    "mx ios": ("[31/12/23, 10:05:09 p.m.] ", "[01/01/24, 12:30:00 p.m.] "),
    "fr android": ("31/12/2023, 22:05 - ", "01/01/2024, 12:30 - "),
    "fr android, old": ("31/12/2023 à 22:05 - ", "01/01/2024 à 12:30 - "),
    "pt android": ("31/12/2023 22:05 - ", "01/01/2024 12:30 - "),
    "it ios": ("[31/12/23, 22:05:09] ", "[01/01/24, 12:30:00] "),
    "nl android": ("31-12-2023 22:05 - ", "01-01-2024 12:30 - "),
    "ru android": ("31.12.2023, 22:05 - ", "01.01.2024, 12:30 - "),
    "ar android": ("٣١‏/١٢‏/٢٠٢٣، ١٠:٠٥ م - ", "١‏/١‏/٢٠٢٤، ١٢:٣٠ م - "),
    "hi android": ("31/12/23, 10:05 अपराह्न - ", "1/1/24, 12:30 अपराह्न - "),
    "sv android": ("2023-12-31 22:05 - ", "2024-01-01 12:30 - "),
    "ca ios": ("[2023-12-31, 10:05:09 p.m.] ", "[2024-01-01, 12:30:00 p.m.] "),
    "hu android": ("2023. 12. 31. 22:05 - ", "2024. 01. 01. 12:30 - "),
    "fi android": ("31.12.2023 klo 22.05 - ", "1.1.2024 klo 12.30 - "),
    "da android": ("31.12.2023 22.05 - ", "01.01.2024 12.30 - "),
    "zh android": ("2023/12/31 下午10:05 - ", "2024/1/1 下午12:30 - "),
    "ja android": ("2023/12/31 22:05 - ", "2024/01/01 12:30 - "),
    "ko android": ("2023. 12. 31. 오후 10:05 - ", "2024. 1. 1. 오후 12:30 - "),
    "za android": ("2023/12/31, 22:05 - ", "2024/01/01, 12:30 - "),
    "bg android": ("31.12.2023 г., 22:05 - ", "1.01.2024 г., 12:30 - "),
    "ca fr android": ("2023-12-31 22 h 05 - ", "2024-01-01 12 h 30 - "),
    "el android": ("31/12/23, 10:05 μ.μ. - ", "1/1/24, 12:30 μ.μ. - "),
    "vi android": ("22:05, 31/12/2023 - ", "12:30, 1/1/2024 - "),
    "he android": ("31.12.2023, 22:05 - \u200f", "1.1.2024, 12:30 - \u200f"),
    "th android": ("31/12/2566 22:05 - ", "1/1/2567 12:30 - "),
}


@pytest.mark.parametrize("style", STYLES)
def test_every_telephone_s_dates_are_understood(style: str) -> None:
    evening, noon = STYLES[style]
    first, second = documents(
        f"{evening}Anna Berg: Are you still up?\n{evening}{ME}: Yes: reading.\n"
        f"{noon}{ME}: Good morning!\n"
    )
    assert spoken(first) == [("A", "Are you still up?"), ("me", "Yes: reading.")]
    assert spoken(second) == [("me", "Good morning!")]
    assert first.path_suffix[:16] == "2023-12-31T22:05"
    assert second.path_suffix == "2024-01-01T12:30:00"


WRITERS = {
    "dmy.": "{d:02}.{m:02}.{y}, {h:02}:{i:02} - ",
    "dmy/": "{d:02}/{m:02}/{y}, {h:02}:{i:02} - ",
    "dmy/ios": "[{d}/{m}/{yy:02}, {h:02}:{i:02}:00] ",
    "mdy": "{m}/{d}/{yy:02}, {h12}:{i:02} {half} - ",
    "mdy ios": "[{m}/{d}/{yy:02}, {h12}:{i:02}:00\u202f{half}] ",
    "ymd": "{y}-{m:02}-{d:02} {h:02}:{i:02} - ",
}


@given(
    start=st.datetimes(datetime.datetime(2015, 1, 1), datetime.datetime(2030, 1, 1)),
    gaps=st.lists(st.integers(0, 60 * 24 * 9), min_size=60, max_size=60),
    style=st.sampled_from(sorted(WRITERS)),
)
def test_the_order_of_day_and_month_is_recognised_from_the_whole_file(
    start: datetime.datetime, gaps: list[int], style: str
) -> None:
    at = start.replace(second=0, microsecond=0)
    lines: list[str] = []
    moments: list[datetime.datetime] = []
    # A month that everybody can read, then whatever comes.
    for gap in (0, *[60 * 24] * 28, *gaps):
        at += datetime.timedelta(minutes=gap)
        half, hour = ("AM" if at.hour < 12 else "PM"), at.hour % 12 or 12
        stamp = WRITERS[style].format(
            d=at.day, m=at.month, y=at.year, yy=at.year % 100, h=at.hour, h12=hour, i=at.minute,
            half=half,
        )  # fmt: skip
        lines.append(f"{stamp}{ME}: word{len(lines)}")
        moments.append(at)
    found = documents("\n".join(lines))
    begins = {one.path_suffix.partition("/")[0] for one in found}
    assert begins <= {moment.isoformat(timespec="seconds") for moment in moments}
    assert own_words(found) == [f"word{number}" for number in range(len(lines))]


def test_a_message_may_have_many_lines() -> None:
    (document,) = documents(
        f"31.12.23, 22:05 - {ME}: A list:\n\n- bread\n- 12.30 a pound\n31.12.23, 22:06 - Ada: ok\n"
        f"31.12.23, 22:07 - {ME}: done\n"
    )
    assert spoken(document) == [
        ("me", "A list:\n\n- bread\n- 12.30 a pound"),
        ("A", "ok"),
        ("me", "done"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "<Media omitted>",
        "<Medien ausgeschlossen>",
        "<Multimedia omitido>",
        "<Médias omis>",
        "<Mídia oculta>",
        "<Media omessi>",
        "<Media weggelaten>",
        "<Без медиафайлов>",
        "<تم استبعاد الوسائط>",
        "<मीडिया के बिना>",
        "This message was deleted",
        "You deleted this message.",
        "Diese Nachricht wurde gelöscht.",
        "Se eliminó este mensaje.",
        "Ce message a été supprimé",
        "Esta mensagem foi apagada",
        "Questo messaggio è stato eliminato",
        "Dit bericht is verwijderd",
        "Данное сообщение удалено",
        "تم حذف هذه الرسالة",
        "यह मैसेज डिलीट किया गया है",
        "IMG-20231231-WA0001.jpg (file attached)",
        "Kaffee.vcf (Datei angehängt)",
        "location: https://maps.google.com/?q=52.5,13.4",
        "Ubicación: https://maps.google.com/?q=52.5,13.4",
        "POLL:\nWhere to?\nOPTION: sea (2 votes)\nOPTION: hills (1 vote)",
        "null",
        "",
        "\u200e<attached: 00000042-PHOTO.jpg>",
    ],
)
def test_what_the_app_wrote_is_nobody_s_word(line: str) -> None:
    text = f"31.12.23, 22:05 - {ME}: {line}\n31.12.23, 22:06 - {ME}: mine\n"
    assert own_words(documents(text)) == ["mine"]


def test_what_ios_wrote_is_known_by_its_mark_in_any_language() -> None:
    head = "[31.12.23, 22:05:01] "
    text = (
        f"{head}Riders: \u200eMesazhet dhe thirrjet janë të koduara.\n"
        f"{head}{ME}: \u200efoto e lënë jashtë\n"
        f"{head}{ME}: mine \u200e<Ky mesazh u redaktua>\n"
    )
    assert own_words(documents(text)) == ["mine"]


def test_a_caption_is_said_and_its_picture_is_not() -> None:
    text = f"31.12.23, 22:05 - {ME}: IMG-20231231-WA0001.jpg (Datei angehängt)\nlook, snow\n"
    assert own_words(documents(text)) == ["look, snow"]


def test_an_edited_message_loses_the_mark_alone() -> None:
    text = f"31.12.23, 22:05 - {ME}: at six <Diese Nachricht wurde bearbeitet.>\n"
    assert own_words(documents(text)) == ["at six"]


def test_lines_about_a_group_are_no_turns() -> None:
    (document,) = documents(
        "31.12.23, 22:05 - Messages and calls are end-to-end encrypted.\n"
        "31.12.23, 22:05 - Anna Berg created group “Trip: Rome”\n"
        '31.12.23, 22:05 - Anna Berg changed the subject to "Trip: Rome"\n'
        f"31.12.23, 22:06 - {ME}: hello\n"
    )
    assert spoken(document) == [("me", "hello")]


def test_messages_that_were_copied_into_one_are_not_the_copier_s_words() -> None:
    (document,) = documents(
        f"31.12.23, 22:05 - {ME}: she wrote:\n[30/12, 18:10] Anna Berg: I am late\n"
        f"[30/12, 18:11] Uwe: no hurry\n31.12.23, 22:06 - {ME}: you see\n"
    )
    assert spoken(document) == [("me", "she wrote:\nyou see")]


def test_others_have_pseudonyms_by_their_first_word_and_also_where_they_are_called() -> None:
    (document,) = documents(
        "31.12.23, 22:05 - ~\u202fUwe: who has the key?\n"
        f"31.12.23, 22:06 - {ME}: @⁨Anna Berg⁩ has it.\nAnna, do you? @⁨Jo⁩ and @49170123456789 too\n"
        "31.12.23, 22:07 - Anna Berg: yes, Uwe:\nUwe: come\n"
        "31.12.23, 22:08 - +49 170 123456789: me too\n"
        f"31.12.23, 22:09 - {ME}: then ask Anna Berg\n"
    )
    assert spoken(document) == [
        ("A", "who has the key?"),
        ("me", "B has it.\nB, do you? C and D too"),
        ("B", "yes, Uwe:\nA: come"),
        ("D", "me too"),
        ("me", "then ask B"),
    ]


def test_a_conversation_in_which_the_user_is_silent_gives_nothing() -> None:
    (document,) = documents(
        "30.12.23, 09:00 - Ada: anybody?\n30.12.23, 09:01 - Uwe: no\n"
        f"31.12.23, 09:00 - Ada: and now?\n31.12.23, 09:01 - {ME}: yes\n"
        "31.12.23, 09:02 - Ada: good\n"
    )
    assert spoken(document) == [("A", "and now?"), ("me", "yes")]


def test_a_longer_export_changes_nothing_but_the_last_conversation() -> None:
    days = [
        f"{day:02}.03.24, 08:00 - Ada: day {day}?\n{day:02}.03.24, 08:01 - {ME}: {day}!\n"
        for day in range(1, 25)
    ]
    before = documents("".join(days[:20]))
    after = documents("".join(days[:20]) + f"20.03.24, 08:03 - {ME}: more\n" + "".join(days[20:]))
    assert after[:19] == before[:19]
    assert after[19].path_suffix == before[19].path_suffix
    assert after[19].text.startswith(before[19].text)
    assert len({one.path_suffix for one in after}) == len(after) == 24


def test_a_day_that_does_not_exist_costs_no_message() -> None:
    found = documents(
        f"28.02.23, 22:05 - {ME}: one\n31.02.23, 22:06 - {ME}: two\n"
        f"28.02.23, 25:61 - {ME}: three\n28.02.23, 22:08 - {ME}: four\n"
    )
    assert own_words(found) == ["one", "two", "three", "four"]
    assert len(found) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Yesterday at ten\nMax Ohm said something\n",
        f"1402/10/10, 22:05 - {ME}: in another calendar\n",
        f"99.99.99, 22:05 - {ME}: no day\n",
    ],
)
def test_what_is_not_understood_is_named(text: str) -> None:
    with pytest.raises(Unreadable) as error:
        documents(text)
    assert error.value.reason is SkipReason.UNKNOWN_FORMAT


def test_a_chat_in_which_nobody_is_the_user_is_named_without_a_name() -> None:
    text = "31.12.23, 22:05 - Ada: hello\n31.12.23, 22:06 - Uwe: hello\n"
    with pytest.raises(Unreadable) as error:
        documents(text)
    assert error.value.reason is SkipReason.NOT_NAMED
    assert "Ada" not in repr(error.value)
    seen = whatsapp.survey(io.BytesIO(text.encode()))
    assert len(seen.people) == 2
    assert "Ada" not in repr(seen)


def test_the_user_s_name_may_have_a_colon_and_other_spaces_and_capitals() -> None:
    text = "31.12.23, 22:05 - Work: Max\xa0Ohm: hello: you\n31.12.23, 22:06 - Ada: hi\n"
    assert own_words(documents(text, me=("Work: Max\xa0Ohm",))) == ["hello: you"]
    text = "31.12.23, 22:05 - max\xa0OHM: hello\n"
    assert own_words(documents(text)) == ["hello"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_any_encoding_is_read(encoding: str) -> None:
    lines = f"31.12.23, 22:05 - {ME}: Grüße aus Köln\r\n" * 9
    assert own_words(documents(lines.encode(encoding))) == ["Grüße aus Köln"] * 9


def test_a_few_broken_bytes_cost_a_few_characters() -> None:
    line = f"31.12.23, 22:05 - {ME}: Grüße\n".encode()
    assert own_words(documents(line * 20 + b"31.12.23, 22:06 - Max Ohm: a\xff\xfeb\n")) == [
        *["Grüße"] * 20,
        "a\ufffd\ufffdb",
    ]


LETTERS = st.characters(categories=["L"])
WORDS = st.text(LETTERS, min_size=1, max_size=8)


@given(
    turns=st.lists(
        st.tuples(st.integers(0, 3), st.lists(WORDS, min_size=1, max_size=4), st.integers(0, 900)),
        min_size=1,
        max_size=30,
    )
)
def test_every_own_message_comes_once_and_no_other_s_name_at_all(
    turns: list[tuple[int, list[str], int]],
) -> None:
    names = [ME, "Zyxwa Qwertz", "Vutsr", "+49 170 1234567"]
    everybody = [(speaker, ["hello"], 0) for speaker in range(4)]
    at = datetime.datetime(2023, 5, 13, 8, 0)
    lines, own = [], []
    for number, (speaker, words, gap) in enumerate([*everybody, *turns, (0, ["end"], 0)]):
        at += datetime.timedelta(minutes=gap)
        calls = f"@⁨{names[number % 4]}⁩ {' '.join(words)}\n{names[2]}: {number}"
        said = f"w{number} {' '.join(words)}"
        lines.append(f"[{at:%d.%m.%y, %H:%M:%S}] {names[speaker]}: {said}")
        if speaker == 0:
            own.append(said)
        else:
            lines[-1] += f"\n{calls}"
    found = documents("\n".join(lines))
    assert own_words(found) == own
    everything = "\n".join(document.text for document in found)
    assert not any(name in everything for name in names[1:])
