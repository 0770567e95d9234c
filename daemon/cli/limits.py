"""`nightloom privacy exclude`, `retention` and `sources pause`: what is not collected or kept."""

import click

from daemon.cli import text
from daemon.cli.asking import confirm
from daemon.cli.output import Json, json_option, show
from daemon.cli.privacy import sources
from daemon.cli.reaching import administration

OFF, FOR_EVER = "off", 0
LEARNED_STAYS = "What was learned from {} stays in the adapters until `nightloom privacy forget`."


# --------------------------------------------------------------------------- exclusions


@click.group()
def exclude() -> None:
    """Globs for files that are left out of all sources.

    A file is also left out when it says `nightloom: off` in its front matter or in one of its first
    five lines, and when a `.nightloomignore` in its folder or above names it, in the syntax of
    `.gitignore`.
    """


@exclude.command("add")
@click.argument("glob")
@json_option
def add_exclusion(glob: str, as_json: bool) -> None:
    """Leave out files like GLOB from now on, and remove from the vault what came from them.

    Without a slash GLOB is compared with names of files and folders, with one with the path below
    the source, and beginning with / or ~ with the whole path; ** is any number of folders.
    """
    with administration() as service:
        show(service.exclude(glob), as_json, _excluded_text)


@exclude.command("list")
@json_option
def list_exclusions(as_json: bool) -> None:
    """List the globs that are left out of all sources."""
    with administration() as service:
        show(service.exclusions(), as_json, _exclusions_text)


@exclude.command("remove")
@click.argument("glob")
@json_option
def remove_exclusion(glob: str, as_json: bool) -> None:
    """Collect files like GLOB again, as far as their sources include them."""
    with administration() as service:
        show(
            service.include_again(glob),
            as_json,
            lambda _: "The exclusion is lifted; what it left out is being read.",
        )


# --------------------------------------------------------------------------- retention


class _Days(click.ParamType[int]):
    """A number of days, or `off`, which is none."""

    name = "days"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if value == OFF:
            return FOR_EVER
        number = str(value)
        if not (number.isascii() and number.isdecimal() and 1 <= int(number[:9]) <= 36_500):
            self.fail("it has to be a number of days from 1 to 36500, or off", param, ctx)
        return int(number)


@click.command()
@click.argument("days", metavar="[DAYS|off]", type=_Days(), required=False)
@click.option("--source", metavar="NAME", help="For this source; for all there are by default.")
@click.option("--yes", is_flag=True, help="Remove what is older without asking.")
@json_option
def retention(days: int | None, source: str | None, yes: bool, as_json: bool) -> None:
    """Keep only text whose file was changed in the last DAYS days; `off` keeps it all again.

    What is older is removed from the vault now and every day, and not collected. Without DAYS it
    shows what holds.
    """
    with administration() as service:
        if days is None:
            show(service.retention(), as_json, _retention_text)
            return
        if days != FOR_EVER and not yes:
            older = service.count_older(days, source)["documents"]
            if older:
                confirm(
                    f"{text.plural(older, 'document')} in the vault {_is(older)} older and will be "
                    "removed, also where the file is gone. Go on?"
                )
        given = None if days == FOR_EVER else days
        show(service.set_retention(given, source), as_json, _retained_text)


# --------------------------------------------------------------------------- sources


@sources.command("pause")
@click.argument("name", metavar="N")
@json_option
def pause_source(name: str, as_json: bool) -> None:
    """Watch and read nothing of source N until it is resumed; what it gave stays."""
    with administration() as service:
        show(
            service.pause_source(name),
            as_json,
            lambda _: "The source is paused; `nightloom privacy sources resume` ends that.",
        )


@sources.command("resume")
@click.argument("name", metavar="N")
@json_option
def resume_source(name: str, as_json: bool) -> None:
    """Collect from source N again, also what was written in the pause."""
    with administration() as service:
        show(service.resume_source(name), as_json, _resumed_text)


# --------------------------------------------------------------------------- as text


def _excluded_text(answer: Json) -> str:
    removed = answer["removed_documents"]
    if not removed:
        return "Excluded. Nothing in the vault came from files like this."
    return (
        f"Excluded, and {text.plural(removed, 'document')} {_is(removed)} removed from the vault. "
        + LEARNED_STAYS.format("it" if removed == 1 else "them")
    )


def _exclusions_text(answer: Json) -> str:
    globs = [text.value(glob) for glob in answer["globs"]]
    return "\n".join(globs) or "No exclusions; add one with `nightloom privacy exclude add GLOB`."


def _retention_text(answer: Json) -> str:
    if not answer["sources"]:
        return "No sources yet; allow one with `nightloom privacy sources add PATH`."
    rows = [
        (text.value(one["name"]), "all" if one["days"] is None else text.plural(one["days"], "day"))
        for one in answer["sources"]
    ]
    return _with(text.table(("source", "keeps"), rows), answer["waits"])


def _retained_text(answer: Json) -> str:
    of = "1 source" if len(answer["sources"]) == 1 else f"{len(answer['sources'])} sources"
    if answer["days"] is None:
        return f"Text of {of} is kept however old it is; older files are being read."
    removed = answer["removed_documents"]
    said = f"Text of {of} is kept for {text.plural(answer['days'], 'day')}."
    if removed:
        said += f" {text.plural(removed, 'document')} {_is(removed)} removed from the vault. "
        said += LEARNED_STAYS.format("it" if removed == 1 else "them")
    return _with(said, answer["waits"])


def _resumed_text(answer: Json) -> str:
    if answer["state"] == "paused":
        return "The source is resumed, and waits with all others; `nightloom resume` ends that."
    return "The source is resumed and being read."


def _with(said: str, waits: str | None) -> str:
    return f"{said}\n\n{text.value(waits)}" if waits else said


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
