"""Which files hold mail, by their names."""

import pytest

from daemon.collecting.mail_files import is_unwanted, item_base, kind_of, stable_name


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("Inbox", "mbox"),
        ("Mail/Local Folders/Sent.sbd/2024", "mbox"),
        ("archive.mbox", "mbox"),
        ("Sent.mbox/mbox", "mbox"),
        ("letter.EML", "eml"),
        ("Messages/12.emlx", "eml"),
        ("Messages/12.partial.emlx", None),
        ("dir/cur/1700000000.M1P2.host:2,S", "eml"),
        ("new/1700000000.M1P2.host", "eml"),
        ("dir/tmp/1700000000.M1P2.host", None),
        ("Inbox.msf", None),
        ("notes.txt", None),
    ],
)
def test_a_name_tells_how_mail_lies_in_a_file(path: str, kind: str | None) -> None:
    assert kind_of(path) == kind


@pytest.mark.parametrize(
    "path",
    [
        "Drafts",
        "dir/.Trash/cur/1.host:2,S",
        "dir/.INBOX.Junk/cur/1.host",
        "dir/cur/1.host:2,FT",
        "dir/cur/1.host;2,D",
        "Gel&APY-scht",
        "&BCEEPwQwBDw-",
        "SPAM.mbox",
        "Deleted Items.sbd/old",
    ],
)
def test_what_nobody_wants_to_read_is_known(path: str) -> None:
    assert is_unwanted(path)


@pytest.mark.parametrize(
    "path",
    [
        "All mail Including Spam and Trash.mbox",
        "dir/cur/1.host:2,RS",
        "Letters to Junk & Sons",
        "&",
        "&!!-",
        ".Sent.2025",
        "binary",
    ],
)
def test_what_is_only_called_alike_is_wanted(path: str) -> None:
    assert not is_unwanted(path)


def test_a_maildirs_message_keeps_its_name_when_its_flags_change() -> None:
    names = {
        stable_name(f"d/{place}") for place in ("new/1.host", "cur/1.host:2,", "cur/1.host:2,S")
    }
    assert names == {"d/cur/1.host"}
    assert {item_base("d/new/1.host"), item_base("d/cur/1.host:2,S")} == {"d/cur"}
    assert (item_base("new/1.host"), item_base("a/b.mbox")) == ("cur", "a/b.mbox")
