"""The demo from beginning to end: vault, service, notes, one night, two answers, the figures.

Reads like the list above. What it makes is noted in `cleanup`, which the caller clears.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console

import daemon
from daemon.cli import text
from daemon.cli.demo_interrupts import Interrupts
from daemon.cli.demo_memory import PeakMemory
from daemon.cli.demo_questions import MODELS, QUESTIONS, Answers, ask
from daemon.cli.demo_service import DemoService
from daemon.cli.demo_tables import Outcome, answers_table, outcome_table
from daemon.cli.errors import DemoNightWithoutAdapter, DemoNotesMissing, DemoServiceDied
from daemon.cli.night_progress import Display, Step, night_display, read_step
from daemon.cli.output import Json
from daemon.home import Home
from ipc.client import AdminClient, InferenceClient
from ipc.errors import AnswerCutShort, NotRunning

NOTES = Path(daemon.__file__).with_name("demo_notes")
CONFIGURATION = """\
[night]
automatic = false  # the demo says when

[conditions]
max_celsius = 100  # for a minute or two
"""
NEXT_STEPS = """\
That was all on this machine. To let it learn from what you write:
  nightloom init                        your own vault
  nightloom run                         the service
  nightloom privacy sources add PATH    a folder of your notes
  nightloom night run --now             a night; run it again when you have written more"""


class Stages:
    """The seconds that each stage took, in order, and what the display shows of them."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        self.step(name, None)
        yield
        self.seconds[name] = time.monotonic() - begun

    def step(self, name: str, share: float | None, detail: str = "") -> None:
        self._display.show(Step(state=name, share=share, detail=detail))

    def show_night(self, line: Json) -> None:
        self._display.show(read_step(line))


def tell(
    console: Console, home: Path, passphrase: str, cleanup: ExitStack, interrupts: Interrupts
) -> None:
    """Runs the whole story. Raises `DemoError` and whatever the service says went wrong."""
    if not NOTES.is_dir():
        raise DemoNotesMissing
    begun = time.monotonic()
    paths = Home.from_environment({"NIGHTLOOM_HOME": str(home)})
    memory = cleanup.enter_context(PeakMemory())
    with night_display(console) as display:
        stages = Stages(display)
        with stages.stage("vault"):
            _create_vault(paths, passphrase)
        with stages.stage("service"):
            service = DemoService.start(home, passphrase, cleanup, interrupts)
        with _explaining(service):
            with stages.stage("collecting"):
                documents = _collect(paths)
            night = _run_night(paths, stages)
            if night.get("state") == "done":
                with stages.stage("asking"):
                    answers = _ask_all(paths, stages)
    if night.get("state") != "done":
        _say(console, _why_not(night))
        raise DemoNightWithoutAdapter
    outcome = Outcome(
        night=night,
        documents=documents,
        stage_seconds=stages.seconds,
        total_seconds=time.monotonic() - begun,
        peak_bytes=memory.peak_bytes(),
    )
    for shown in (answers_table(answers), outcome_table(outcome)):
        console.print()
        console.print(shown)
    console.print()
    _say(console, NEXT_STEPS)


def _create_vault(paths: Home, passphrase: str) -> None:
    from storage.vault import Vault

    paths.create_folders()
    vault, _recovery_key = Vault.create(paths.vault, passphrase=passphrase)
    vault.close()
    paths.config_file.write_text(CONFIGURATION, "utf-8")


def _collect(paths: Home) -> int | None:
    """Allows the notes and waits until they are kept; how many documents there are."""
    with AdminClient(paths.admin_socket) as service:
        service.add_source(str(NOTES), name="notes")
        service.rescan()
        documents: int | None = service.status().get("documents")
        return documents


def _run_night(paths: Home, stages: Stages) -> Json:
    """One night, watched to its end; its log entry."""
    entry: Json = {}
    with AdminClient(paths.admin_socket) as service:
        for line in service.run_night(on_battery=True):
            if "night" in line:
                entry = line["night"]
            else:
                stages.show_night(line)
    stages.seconds.update(entry.get("stage_seconds") or {})
    return entry


def _ask_all(paths: Home, stages: Stages) -> list[Answers]:
    """Every question to both models."""
    answers = []
    with InferenceClient(paths.api_socket) as client:
        for done, question in enumerate(QUESTIONS):
            stages.step("asking", done / len(QUESTIONS), f"question {done + 1}/{len(QUESTIONS)}")
            by_model = {model: ask(client, question, model) for model in MODELS}
            answers.append(Answers(question=question, by_model=by_model))
    return answers


@contextmanager
def _explaining(service: DemoService) -> Iterator[None]:
    """If the service went away, its own words say why."""
    try:
        yield
    except (NotRunning, AnswerCutShort) as error:
        if not service.has_ended():
            raise
        service.pass_on_messages()
        raise DemoServiceDied from error


def _why_not(night: Json) -> str:
    state = text.value(night.get("state"))
    return f"The night is {state}: {text.value(night.get('sentence') or night.get('reason'))}"


def _say(console: Console, words: str) -> None:
    console.print(words, markup=False, highlight=False, soft_wrap=True)
