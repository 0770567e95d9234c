"""One setting changed, and all that is the user's left as it was."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.config import parse_config
from daemon.config_edit import with_base
from daemon.errors import ConfigError, ConfigNotEdited

WRITTEN = """\
# my settings
[night]
minutes = 120   # not longer

[engine]        # the model
threads = 2
base = "old"    # chosen in spring

# base = "other"
[gate]
general_loss_tolerance = 0.03
"""


def test_only_the_value_changes() -> None:
    assert with_base(WRITTEN, "bee") == WRITTEN.replace('"old"', '"bee"')


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '[engine]\nbase = "bee"\n'),
        ("# empty", '# empty\n\n[engine]\nbase = "bee"\n'),
        ("[night]\nminutes = 9\n", '[night]\nminutes = 9\n\n[engine]\nbase = "bee"\n'),
        ("[engine]", '[engine]\nbase = "bee"'),
        ("[engine]\nthreads = 2\n", '[engine]\nbase = "bee"\nthreads = 2\n'),
        ("[ engine ]\nbase='old'\n", '[ engine ]\nbase="bee"\n'),
        ('[engine]\n"base" = "old"\n', '[engine]\n"base" = "bee"\n'),
        ("[engine]\r\nthreads = 2\r\n", '[engine]\r\nbase = "bee"\r\nthreads = 2\r\n'),
        ('[engine]\nbase = "a" # base = "b"\n', '[engine]\nbase = "bee" # base = "b"\n'),
    ],
)
def test_each_form_of_the_file_is_kept(before: str, after: str) -> None:
    assert with_base(before, "bee") == after


@pytest.mark.parametrize(
    "text",
    ['engine = { base = "old" }', 'engine.base = "old"', '[engine]\nbase = """old"""',
     '[engine]\nbase = "o\\u006cd"', '["engine"]\nbase = "old"'],
)  # fmt: skip
def test_a_form_that_is_not_understood_is_left_alone_and_said(text: str) -> None:
    assert parse_config(text).engine.base == "old"
    with pytest.raises(ConfigNotEdited, match='set base = "bee" there by hand'):
        with_base(text, "bee")


def test_a_file_with_mistakes_is_not_touched() -> None:
    with pytest.raises(ConfigError, match="not known"):
        with_base("[engien]\nbase = 'x'\n", "bee")


def test_a_folder_s_name_that_would_need_escapes_is_not_written() -> None:
    with pytest.raises(ConfigNotEdited):
        with_base("", 'a"\nthreads = 3 #')


LINES = st.lists(
    st.sampled_from(
        ["", "# base = 1", "[engine]", "[night]", "[gate]", "threads = 1", "minutes = 5",
         'base = "old"', "  base = 'old' # [engine]", "general_loss_tolerance = 0.1"]
    ),
    max_size=8,
)  # fmt: skip


@given(lines=LINES)
def test_whatever_the_file_says_the_result_says_the_same_but_for_the_base(lines: list[str]) -> None:
    text = "\n".join(lines)
    try:
        before = tomllib.loads(text)
        parse_config(text)
    except (tomllib.TOMLDecodeError, ConfigError):
        return

    after = tomllib.loads(with_base(text, "bee"))

    before["engine"] = before.get("engine", {}) | {"base": "bee"}
    assert after == before
