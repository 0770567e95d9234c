"""`nightloom night show` and `night passages`: one night, where its time went, what it changed."""

import click

from daemon.cli import text
from daemon.cli.errors import NoSuchNight
from daemon.cli.output import Json, json_option, say, show, show_line
from daemon.cli.reaching import administration

WORDS = {"work": "worked", "not_running": "the service did not run", "asleep": "asleep"}
which = click.argument("number", metavar="[ID]", type=click.IntRange(min=1), required=False)


@click.command("show")
@which
@json_option
def show_night(number: int | None, as_json: bool) -> None:
    """Show one night by its number, or the last: how it ended, and where its time went."""
    with administration() as service:
        nights = service.nights(1 if number is None else None)
    found = [one for one in nights if number is None or one["id"] == number]
    if not found:
        raise NoSuchNight
    show(found[0], as_json, _night_text)


@click.command()
@which
@json_option
def passages(number: int | None, as_json: bool) -> None:
    """Read what a night changed: your own text, continued as before and as after it.

    Takes passages that judged the night, shows how each goes on in your own words, and how the
    adapter before and the new one would continue it. Nothing of this is kept. With --json, one
    line for each passage.
    """
    with administration() as service:
        for passage in service.night_passages(number):
            if as_json:
                show_line(passage)
            else:
                say(_passage_text(passage) + "\n")


def _night_text(night: Json) -> str:
    parts = [
        text.pairs(
            [
                ("night", text.value(night["id"])),
                ("started", text.moment(night["started_at"])),
                ("state", text.value(night["state"])),
                ("verdict", text.value(night["verdict"])),
                ("documents", text.count(night["documents"])),
                ("tokens", text.count(night["tokens"])),
                ("tokens/s", text.count(night["tokens_per_second"])),
                ("held-out loss", _change(night, "held_out_loss")),
                ("general loss", _change(night, "general_loss")),
                ("adapter", text.short(night["adapter"])),
                ("time", text.duration(night["seconds"])),
            ]
        )
    ]
    if night.get("sentence"):
        parts.append(text.value(night["sentence"]))
    if night.get("lost"):
        rows = [
            (_word(reason), text.duration(seconds)) for reason, seconds in night["lost"].items()
        ]
        parts.append(text.table(("lost to", "time"), rows, right=" r"))
    if night.get("timeline"):
        stretches = [
            (text.moment(one["at"]), text.duration(one["seconds"]), _word(one["what"]))
            for one in night["timeline"]
        ]
        parts.append(text.table(("from", "for", ""), stretches, right=" r "))
    return "\n\n".join(parts)


def _word(what: str) -> str:
    return text.value(WORDS.get(what, what.replace("_", " ")))


def _change(night: Json, name: str) -> str:
    return text.change(night[f"{name}_before"], night[f"{name}_after"])


def _passage_text(passage: Json) -> str:
    told = (("you", "written"), ("before", "before"), ("after", "after"))
    goes_on = [f"{label:<8}{text.printable(passage[key]).strip()}" for label, key in told]
    heading = f"Document {passage['document']}: {text.printable(passage['beginning'])}"
    return "\n".join([heading, *goes_on])
