"""What `nightloom status` says about a pause and about limits that were reached."""

from daemon.cli import text
from daemon.cli.output import Json


def limit_sentences(answer: Json) -> list[str]:
    """None while nothing stands in the way."""
    said = []
    if answer.get("paused"):
        until = answer.get("until")
        when = "" if until is None else f" until {text.moment(until)}"
        said.append(f"Paused{when}; `nightloom resume` goes on.")
    if answer.get("vault_is_full"):
        said.append(
            f"The vault has reached its bound of {text.size(answer['vault_limit_bytes'])}, so "
            "nothing more is collected until there is room."
        )
    limit, used = answer.get("adapters_limit_bytes"), answer.get("adapters_bytes")
    if limit is not None and used is not None and used > limit:
        said.append(
            f"The adapters take {text.size(used)} of {text.size(limit)}: those that are left are "
            "pinned, or made since the last night."
        )
    if answer.get("retention_waits"):
        said.append(text.value(answer["retention_waits"]))
    return said
