"""The story of one home with the built-in base: made, filled, one night, looked at all the while.

It is lived once and shared: a night on the shipped base takes most of a minute. Sentences that
must not be found in clear are planted in the notes, in their names and in what is asked.
"""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import daemon
from tests.pipeline.living import PASSPHRASE, Json, Nightloom, new_home, state_of
from tests.pipeline.searching import files_with, needles, process_files_with

DEMO_NOTES = Path(daemon.__file__).with_name("demo_notes")
NOTES_TAKEN = 18
LOOK_SECONDS = 0.2  # between two looks

IN_NOTES = (
    "the tin moth sleeps beneath Zennor harbour",
    "die blaue Möwe schläft über Łódź",
    "под мостом спит оловянный мотылёк",
)
IN_NAMES = ("zennor-diary", "möwen-tagebuch")
SOURCE = "petrel-letters"
ASKED = ("who keeps the copper heron awake", "wer weckt die kupferne Möwe um fünf")
SECRETS = (*IN_NOTES, *IN_NAMES, SOURCE, *ASKED, PASSPHRASE)

CONFIGURATION = """
[collect]
settle_seconds = 0
debounce_seconds = 0

[engine]
threads = 1

[night]
passes = 2
checkpoint_minutes = 0.1
rows_per_step = 2
rows_per_micro_batch = 2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happened, and the home where it did; its service runs."""

    place: Nightloom
    init_said: str
    source: Json
    preview: Json
    lines: list[Json] = field(repr=False)
    answer_in_the_night: str
    engine_in_the_night: str
    lookout: "Lookout"
    network_denied: bool | None

    @property
    def entry(self) -> Json:
        """The night's entry in the log."""
        last: Json = self.lines[-1]["night"]
        return last


class Lookout:
    """Looks again and again whether a secret lies in clear, and keeps where and when one did."""

    def __init__(self, place: Nightloom) -> None:
        self._place = place
        self.looks: list[str] = []
        self.found: list[str] = []

    def look(self, when: str) -> None:
        self.looks.append(when)
        self.found += look(self._place, when)

    @contextmanager
    def watching(self, when: str) -> Iterator[None]:
        """Inside, a thread looks all the time: what lies there for a moment counts too."""
        enough = threading.Event()

        def watch() -> None:
            while not enough.wait(LOOK_SECONDS):
                self.look(when)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            enough.set()
            thread.join()


def look(place: Nightloom, when: str) -> list[str]:
    """Where secrets lie in clear now: home, temporary folder, what was said, process tables."""
    wanted = needles(SECRETS)
    engine = place.engine_pid()
    pids = [place.pid] if engine is None else [place.pid, engine]
    found = files_with(wanted, place.home_folder, place.temporary, place.said, place.errors)
    return [f"{when}: {file}" for file in (*found, *process_files_with(wanted, pids))]


def write_notes(place: Nightloom) -> None:
    """Some of the beekeeper's notes, and some with secrets in them."""
    for file in sorted(DEMO_NOTES.iterdir())[:NOTES_TAKEN]:
        shutil.copy(file, place.notes)
    # All sentences stand in each: what is held out must not be the only one in its language.
    said = " ".join(f"I wrote down that {sentence}." for sentence in IN_NOTES)
    for number in range(2 * len(IN_NOTES)):
        name = IN_NAMES[number % len(IN_NAMES)]
        place.write(f"{name}/{name}-{number}.md", f"Entry {number}. At noon {said} Twice: {said}\n")


@contextmanager
def lived() -> Iterator[Story]:
    with new_home() as place:
        place.configure(CONFIGURATION)
        write_notes(place)
        made = place.run("init", "--passphrase-file", str(place.passphrase))
        assert made.exit_code == 0, made.output
        place.start()
        place.add_source(name=SOURCE)
        (source,) = place.admin.sources()
        preview = place.admin.preview()

        lookout = Lookout(place)
        lookout.look("before the night")
        lines: list[Json] = []
        answer = engine = ""
        with lookout.watching("during the night"):
            for line in place.admin.run_night():
                lines.append(line)
                lookout.look(f"at line {len(lines)}, {state_of(line)}")
                if line.get("step") and not answer:
                    answer = place.ask(ASKED[0], model="base")
                    engine = place.admin.status()["engine"]
            for question in ASKED:
                place.ask(question)
        lookout.look("after the night")

        yield Story(
            place=place,
            init_said=made.output,
            source=source,
            preview=preview,
            lines=lines,
            answer_in_the_night=answer,
            engine_in_the_night=engine,
            lookout=lookout,
            network_denied=place.admin.status()["network_denied"],
        )
