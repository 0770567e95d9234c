"""The process that reads the vault's texts once before a night: `python -m daemon.curating FD`.

Texts come over the link, or notes of texts that an earlier one read; notes and facts go back, and
then it ends; nothing is kept. Its libraries are loaded
and have worked once before it gives away, for good, what it does not need: files, network, other
processes. Only then does it read the first text.
"""

import os
import resource
import socket
import sys
from contextlib import suppress

from daemon.confinement import die_with_parent, install_filter, protect_memory
from daemon.curation_wire import (
    TextNote,
    packed_facts,
    packed_notes,
    unpacked_notes,
    unpacked_texts,
)
from daemon.extracting.landlock import may_only_read
from daemon.extracting.syscalls import allowing
from ipc.errors import LinkError
from ipc.link import BlockingLink, Message
from trainer.curation_facts import GivenText
from trainer.fact_finding import FactFinding
from trainer.text_notes import packed, unpacked

ADDRESS_BYTES = 3 << 30  # 50,000 letters of 350 words take 0.5 GB
WARMING = "A few words in English, by which every part of the work is done once. " * 4


def warm_up() -> None:
    """Load what is loaded late: nothing can be read any more afterwards."""
    finding = FactFinding()
    alone = finding.add(GivenText(document_id=1, settled=False, modified_at=0.0, text=WARMING))
    finding.add_noted(1, unpacked(packed(alone)), settled=False)
    packed_facts(finding.facts())


def confine() -> None:
    """Keep computing, the link and memory up to a limit; the rest goes, for good."""
    protect_memory()
    for which, limit in (
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_AS, ADDRESS_BYTES),
    ):
        with suppress(ValueError, OSError):  # a system that has no such limit
            resource.setrlimit(which, (limit, limit))
    may_only_read(())
    program = allowing(parent=False)
    if sys.platform == "linux" and program is not None:
        install_filter(program)


def work(link: BlockingLink) -> None:
    """Until the facts are told, or the service is gone."""
    finding = FactFinding()
    while True:
        message = link.receive()
        op = message.header.get("op")
        if op == "facts":
            link.send(Message(header={"event": "facts"}, body=packed_facts(finding.facts())))
            return
        notes: list[TextNote] = []
        if op == "notes":
            for note in unpacked_notes(message.body):
                finding.add_noted(note.document_id, unpacked(note.data), settled=note.flag)
        else:
            notes = [_taken(finding, text) for text in unpacked_texts(message.body)]
        link.send(Message(header={"event": "taken"}, body=packed_notes(notes)))


def _taken(finding: FactFinding, text: GivenText) -> TextNote:
    alone = finding.add(text)
    return TextNote(
        document_id=text.document_id, flag=alone.signature is not None, data=packed(alone)
    )


def main() -> int:
    die_with_parent(os.getppid())
    link = BlockingLink(socket.socket(fileno=int(sys.argv[1])))
    warm_up()
    confine()
    with suppress(LinkError):  # the service is gone, and with it the reason to run
        work(link)
    link.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
