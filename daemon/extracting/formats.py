"""The formats that the child can read. A new one is one module with one function and a line here.

A module is imported in the child only, by the warm parent, when the first file of its format comes.
So a library is imported at the module's top: inside of the function it would be loaded again for
every file, out of that file's time and memory.
"""

from collections.abc import Mapping

FORMATS: Mapping[str, str] = {
    "plain": "daemon.extracting.plain:extract",
    "chats": "daemon.extracting.chats:extract",
    "chat_speakers": "daemon.extracting.chat_speakers:extract",
    "mbox": "daemon.extracting.mail:mbox",
    "eml": "daemon.extracting.mail:eml",
    "letters": "daemon.extracting.mail:letters",
    "html": "daemon.extracting.html:extract",
    "docx": "daemon.extracting.docx:extract",
    "odt": "daemon.extracting.odt:extract",
    "pdf": "daemon.extracting.pdf:extract",
    "epub": "daemon.extracting.epub:extract",
    "notebook": "daemon.extracting.notebook:extract",
    "latex": "daemon.extracting.latex:extract",
}

# Containers of many documents, which may be large: their time is per begun 32 MiB of the file.
PATIENT = frozenset({"chats", "chat_speakers"})
