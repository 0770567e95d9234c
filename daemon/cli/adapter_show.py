"""`nightloom adapters show`: all that is known of one adapter."""

import click

from daemon.cli import text
from daemon.cli.adapters import OF_ANOTHER_BASE, adapters
from daemon.cli.output import Json, json_option, show
from daemon.cli.reaching import administration


@adapters.command("show")
@click.argument("adapter", metavar="A")
@json_option
def show_adapter(adapter: str, as_json: bool) -> None:
    """Show where adapter A comes from, what its night found, and where it was exported.

    A is a digest or the first characters of one, or `personal` for the one that answers.
    """
    with administration() as service:
        show(service.adapter(adapter), as_json, adapter_text)


def adapter_text(answer: Json) -> str:
    told = text.pairs([*_itself(answer), *_night(answer), *_figures(answer), *_exports(answer)])
    return told if answer["of_base_in_use"] else f"{told}\n\n{OF_ANOTHER_BASE}"


def _itself(answer: Json) -> list[tuple[str, str]]:
    pinned = ", kept to go back to" if answer["pinned"] else ""
    base = answer["base_name"] or "not on this machine"
    return [
        ("adapter", text.value(answer["sha256"])),
        ("status", text.value(answer["status"]) + pinned),
        ("trained from", text.short(answer["parent"]) if answer["parent"] else "a fresh one"),
        ("base", f"{text.value(base)} ({text.short(answer['base'])})"),
        ("trained", text.moment(answer["trained_at"])),
        ("documents seen", text.count(answer["documents"])),
        ("size", text.size(answer["bytes"])),
    ]


def _night(answer: Json) -> list[tuple[str, str]]:
    night = answer["night"]
    if night is None:
        return [("night", "not in the log")]
    spent = text.duration(night["seconds"])
    return [
        ("night", f"{text.value(night['id'])}, {text.count(night['tokens'])} tokens in {spent}"),
        ("verdict", f"{text.value(night['verdict'])}: {text.value(night['sentence'])}"),
    ]


def _figures(answer: Json) -> list[tuple[str, str]]:
    one = answer["measured"]
    return [
        ("held-out loss", _loss(one["held_out_loss_before"], one["held_out_loss_after"])),
        ("general loss", _loss(one["general_loss_before"], one["general_loss_after"])),
        (
            "planted secrets",
            f"{text.count(one['canaries_extracted'])} of {text.count(one['canaries_planted'])} "
            "repeated",
        ),
    ]


def _loss(before: float | None, after: float | None) -> str:
    change = text.change(before, after)
    return f"{text.number(before)} → {text.number(after)}  ({change})"


def _exports(answer: Json) -> list[tuple[str, str]]:
    if not answer["exports"]:
        return [("exported", "never")]
    return [
        ("exported", f"{text.moment(one['at'])} to {text.value(one['folder'])}")
        for one in answer["exports"]
    ]
