"""What a configuration file can say, and what is said about one that is wrong."""

from pathlib import Path

import pytest

from daemon.conditions.window import Window
from daemon.config import Config, load_config, parse_config
from daemon.errors import ConfigError

WRONG = """\
rank = 8
[colect]
max_file_mb = 1

[collect]
max_file_mb = "ten"
settle_secnds = 1

[night]
window = "22:00 to 8"
minutes = 0
passes = 2.5
preset = "fast"

[engine]
threads = true
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_without_a_file_everything_has_its_default(tmp_path: Path) -> None:
    config = load_config(tmp_path / "config.toml")
    assert config == Config()
    assert config.collect.max_file_bytes == 10 << 20
    assert config.night.minutes == 480
    assert str(config.night.window) == "22:00-08:00"


def test_settings_of_the_file_count(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[night]\nminutes = 5\nwindow = "23:30-6:15"\n[engine]\nidle_minutes = 1\n')
    config = load_config(file)
    assert config.night.minutes == 5
    assert config.night.window == Window.parse("23:30-06:15")
    assert config.engine.idle_minutes == 1.0
    assert config.gate.general_loss_tolerance == 0.02


def test_every_mistake_is_told_at_once_with_its_line() -> None:
    assert mistakes(WRONG) == [
        "line 1: 'rank' is not known here; it belongs under [night]",
        "line 2: 'colect' is not known here; did you mean 'collect'?",
        "line 6: 'max_file_mb' in [collect] has to be a whole number",
        "line 7: 'settle_secnds' is not known in [collect]; did you mean 'settle_seconds'?",
        "line 10: 'window' in [night] has to be a text like \"22:00-08:00\" or "
        '"mon-fri 22:00-06:30, sat-sun 23:00-10:00"',
        "line 11: 'minutes' in [night] has to be a whole number from 1 to 1440",
        "line 12: 'passes' in [night] has to be a whole number",
        "line 13: 'preset' in [night] has to be one of personal, guanaco",
        "line 16: 'threads' in [engine] has to be a whole number",
    ]


def test_the_whole_message_reads_as_a_list() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config("[night]\nminutes = 0\n")
    first, second = str(caught.value).splitlines()
    assert first.endswith(":")
    assert second.strip().startswith("line 2: ")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[night]\nminutes = \n", "line 2: "),
        ("[night\n", "line 1: "),
        ('[night]\npreset = "personal', ""),
        ("[night]\nminutes = 1\nminutes = 2\n", "line 3: "),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(text: str, line: str) -> None:
    (mistake,) = mistakes(text)
    assert mistake.startswith(line)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("night.minutes = 0", 1),
        ("\nnight = { minutes = 0 }", 2),
        ("[night]\n'minutes' = 0", 2),
        ("night = 3", 1),
        ("[[night]]\nminutes = 3", 1),
        ("[night]\nlearning_rate = nan", 2),
        ('[night]\nwindow = "25:00-08:00"', 2),
        ("[night]\nreplay_share = 0.9", 2),
        ("[engine]\nbase = 5", 2),
        ('[engine]\nbase = ""', 2),
    ],
)
def test_mistakes_in_any_spelling_of_toml_have_a_line(text: str, line: int) -> None:
    (mistake,) = mistakes(text)
    assert mistake.startswith(f"line {line}: ")


def test_files_that_are_no_text_or_cannot_be_read_are_said(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    (tmp_path / "huge.toml").write_bytes(b"#" * (2 << 20))
    for name in ("latin.toml", "huge.toml", "."):
        with pytest.raises(ConfigError):
            load_config(tmp_path / name)


def test_the_recipe_names_only_what_differs_from_the_preset() -> None:
    assert Config().night.recipe() == {
        "preset": "personal",
        "lora": {},
        "finetune": {},
        "shares": {},
    }
    night = parse_config(
        "[night]\nrank = 8\nreplay_share = 0.2\npasses = 2\nrows_per_step = 3"
    ).night
    assert night.recipe() == {
        "preset": "personal",
        "lora": {"rank": 8},
        "finetune": {"rows_per_step": 3},
        "shares": {"replay": 0.2},
        "passes": 2,
    }
