"""`nightloom privacy test`: would a file be collected, which rule says no, what would be redacted.

The command reads the file itself; nothing of it is stored anywhere. The service is asked for its
sources and whether the text was forgotten, which it looks up and does not keep.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daemon.cli import text
from daemon.cli.output import Json, json_option, show
from daemon.cli.preview import line, marked, why_left_out
from daemon.cli.reaching import administration, home
from ipc.errors import NotRunning, OperationError

if TYPE_CHECKING:
    from daemon.trial import Trial

LARGEST_QUESTION = 3 << 20  # bytes of JSON; `admin.sock` takes four times 2^20

SENTENCES = {
    "wanted": "It would be collected.",
    "text": "A text like this would be collected.",
    "not_running": "Nothing is collected while the service does not run, which alone knows the "
    "sources; start it with `nightloom run`.",
    "locked": "Nothing is collected while the vault is locked; open it with `nightloom unlock`.",
    "no_source": "It would not be collected: it lies in no source.",
    "own_folder": "It would not be collected: it lies in nightloom's own folder.",
    "paused": "It would not be collected now: its source is paused.",
    "missing": "It would not be collected now: the folder of its source is not there.",
    "forgotten": "It would not be collected: it was forgotten, and stays so.",
    "not_included": "It would not be collected: its name fits none of the source's globs.",
    "excluded": "It would not be collected: an exclusion fits it.",
    "ignored": "It would not be collected: a .nightloomignore fits it.",
    "marked": "It would not be collected: it says `nightloom: off`.",
    "too_old": "It would not be collected: it is older than its source's retention.",
    "hidden": "It would not be collected: a name on the way to it begins with a dot.",
    "of_a_program": "It would not be collected: a program keeps it for itself, such as a template.",
    "symlink": "It would not be collected: it is a link, or lies behind one.",
    "not_regular": "It would not be collected: it is no file.",
    "other_file_system": "It would not be collected: it lies on another file system.",
    "too_large": "It would not be collected: it is larger than collect.max_file_mb.",
    "empty": "It would not be collected: there is no text in it.",
    "binary": "It would not be collected: it holds no text.",
    "unreadable": "It would not be collected: the system does not let nightloom read it.",
    "vanished": "It would not be collected: it is not there.",
    "changing": "It would be collected as soon as nobody writes to it.",
    "encrypted": "It would not be collected: it opens with a password only.",
    "no_text": "It would not be collected: there is no text layer in it.",
    "damaged": "It would not be collected: it is damaged, or not what its name says.",
    "bomb": "It would not be collected: far more is packed into it than such a file holds.",
    "too_slow": "It would not be collected: reading it takes longer than one file may take.",
    "too_hungry": "It would not be collected: reading it takes more memory than one file may take.",
    "unknown_format": "It would not be collected: its format is not one that nightloom reads.",
    "automatic": "It would not be collected: a program wrote it.",
    "deleted": "It would not be collected: it is marked as deleted, as a draft or as spam.",
    "not_named": "It would not be collected: nobody in this chat has a name given with --me.",
}


@click.command("test")
@click.argument("path", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--text", "with_text", is_flag=True, help="Show the text as it would be kept.")
@json_option
def test(path: Path, with_text: bool, as_json: bool) -> None:
    """Show whether PATH would be collected, which rule says no, and what would be redacted.

    With - for PATH the text on stdin is tried. Nothing of it is kept.
    """
    from daemon.trial import try_text

    if str(path) == "-":
        answer = _checked(try_text(sys.stdin.buffer.read()), with_text)
    else:
        answer = _tried_file(path, with_text)
    show(answer, as_json, _trial_text)


def _tried_file(path: Path, with_text: bool) -> Json:
    from daemon.trial import settings_in, try_file

    place = home()
    with administration() as service:
        try:
            sources = service.sources()
            exclusions = service.exclusions()["globs"]
        except NotRunning:
            return _unknown(path, with_text, "not_running")
        except OperationError as error:
            if error.code != "locked":
                raise
            return _unknown(path, with_text, "locked")
    trial = try_file(
        path,
        settings_in(sources),
        own_folders=place.own_folders,
        most_bytes=_most_bytes(),
        exclusions=exclusions,
        states={one["name"]: one["state"] for one in sources},
    )
    return _checked(trial, with_text)


def _unknown(path: Path, with_text: bool, reason: str) -> Json:
    """Without the sources: what would be redacted, if it were in one of them."""
    from daemon.trial import try_alone

    trial = try_alone(path, most_bytes=_most_bytes())
    return _answer(trial, reason=reason if trial.wanted else trial.reason, with_text=with_text)


def _checked(trial: "Trial", with_text: bool) -> Json:
    """Also whether it was forgotten, where the service can tell."""
    if not trial.wanted:
        return _answer(trial, reason=trial.reason, with_text=with_text)
    forgotten = _forgotten(trial)
    reason = "forgotten" if forgotten else "wanted"
    return _answer(trial, reason=reason, with_text=with_text) | {"forgotten": forgotten}


def _forgotten(trial: "Trial") -> bool | None:
    """None where nobody can tell: no service, a locked vault, a text too long to ask about."""
    answers: list[bool] = []
    with administration() as service:
        for document in trial.redacted:
            asked = {"source": trial.source, "path": document.path or None, "text": document.text}
            if len(json.dumps(asked)) > LARGEST_QUESTION:
                return None
            try:
                answers.append(
                    service.forgotten(
                        source=trial.source, path=document.path or None, text=document.text
                    )
                )
            except NotRunning:
                return None
            except OperationError as error:
                if error.code != "locked":
                    raise
                return None
    return any(answers)


def _answer(trial: "Trial | None", *, reason: str, with_text: bool) -> Json:
    answer: Json = {
        "collect": reason == "wanted",
        "reason": reason,
        "source": trial.source if trial else None,
        "path": trial.path if trial else None,
        "glob": trial.glob if trial else None,
        "forgotten": None,
        "redactions": [_shown(trial, *one) for one in trial.redactions] if trial else [],
        "left_out": trial.left_out if trial else {},
        "documents": len(trial.redacted) if trial else 0,
    }
    if with_text and trial:
        from daemon.placeholders import placeholders

        answer["texts"] = [
            {
                "text": document.text,
                "placeholders": [
                    {"kind": one.kind, "start": one.start, "end": one.end}
                    for one in placeholders(document.text)
                ],
            }
            for document in trial.redacted
        ]
    return answer


def _shown(trial: "Trial", number: int, redaction: Any) -> Json:
    """Offsets in the text before redaction; `document` where a file holds several."""
    shown = {"kind": redaction.kind, "start": redaction.start, "end": redaction.end}
    return shown if len(trial.redacted) == 1 else shown | {"document": number}


def _most_bytes() -> int:
    from daemon.config import load_config

    return load_config(home().config_file).collect.max_file_bytes


def _left_out_text(answer: Json) -> str:
    """What the rules of the night say of it, as far as one file shows that."""
    if answer["documents"] == 1:
        (reason,) = answer["left_out"]
        return f"A night would leave it out ({reason}): {why_left_out(reason)}."
    rows = [
        (line(reason), text.count(count), why_left_out(reason))
        for reason, count in answer["left_out"].items()
    ]
    return text.table(("left out at night", "documents", "because"), rows, right=" r ")


def _trial_text(answer: Json) -> str:
    sentence = SENTENCES.get(answer["reason"], f"It would not be collected: {answer['reason']}.")
    if answer["glob"] and not answer["collect"]:
        sentence = f"{sentence} (The glob is {line(answer['glob'])}.)"
    parts = [sentence]
    if answer["source"]:
        parts[0] += f" Its source is {line(answer['source'])}."
    if answer["collect"] and answer["left_out"]:
        parts.append(_left_out_text(answer))
    if answer["redactions"]:
        rows = [
            (line(one["kind"]), text.count(one["start"]), text.count(one["end"]))
            for one in answer["redactions"]
        ]
        parts.append(text.table(("redacted", "from", "to"), rows, right=" rr"))
    elif answer["collect"]:
        parts.append("Nothing in it would be redacted.")
    colour = sys.stdout.isatty()
    parts += [
        marked(one["text"], one["placeholders"], colour=colour) for one in answer.get("texts", ())
    ]
    return "\n\n".join(parts)
