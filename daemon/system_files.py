"""Small files that the system keeps of itself (`/sys`, `/proc`, `/etc`)."""

from pathlib import Path


def text_of(file: Path) -> str | None:
    """All of it; None if it cannot be read."""
    try:
        return file.read_text("utf-8", "replace")
    except OSError:
        return None


def value_of(file: Path) -> str | None:
    """Of a file that holds one value, without the blanks around it."""
    text = text_of(file)
    return None if text is None else text.strip()


def entries_of(folder: Path) -> list[Path]:
    """In the order of their names; none if the folder cannot be read."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
