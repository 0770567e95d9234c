"""One setting of `config.toml` changed, and everything else in it left as it was. Pure.

The file is the user's: comments, order and blank lines stay. It is read before and after; when the
result would say anything else than what was asked for, it is not written.
"""

import dataclasses
import re

from daemon.config import parse_config
from daemon.errors import ConfigError, ConfigNotEdited

COMMENT = r"[ \t]*(?:#[^\r\n]*)?(?=\r?$)"
HEADER = re.compile(rf"^[ \t]*\[[ \t]*engine[ \t]*\]{COMMENT}", re.MULTILINE)
ANY_HEADER = re.compile(r"^[ \t]*\[", re.MULTILINE)
SETTING = re.compile(
    r"""^(?P<name>[ \t]*(?:base|"base"|'base')[ \t]*=[ \t]*)"""
    rf"""(?P<value>"[^"\\\n]*"|'[^'\n]*')(?P<rest>{COMMENT})""",
    re.MULTILINE,
)


def with_base(text: str, name: str) -> str:
    """The configuration with `engine.base` set.

    Args:
        name: a base's name; it needs no escapes in TOML.

    Raises:
        ConfigError: the configuration has mistakes already.
        ConfigNotEdited: it is written in a form that is not changed here.
    """
    before = parse_config(text)
    wanted = dataclasses.replace(before, engine=dataclasses.replace(before.engine, base=name))
    changed = _changed(text, name)
    try:
        if parse_config(changed) == wanted:
            return changed
    except ConfigError:
        pass  # our change broke it, which is no mistake of the user's: said below
    raise ConfigNotEdited(name)


def _changed(text: str, name: str) -> str:
    end = "\r\n" if "\r\n" in text else "\n"
    header = HEADER.search(text)
    if header is None:
        gap = "" if not text else end if text.endswith(("\n", "\r")) else end * 2
        return f'{text}{gap}[engine]{end}base = "{name}"{end}'
    after = ANY_HEADER.search(text, header.end())
    stop = after.start() if after else len(text)
    section = text[header.end() : stop]
    if SETTING.search(section):
        section = SETTING.sub(lambda m: f'{m["name"]}"{name}"{m["rest"]}', section, count=1)
    else:
        section = f'{end}base = "{name}"{section}'
    return text[: header.end()] + section + text[stop:]
