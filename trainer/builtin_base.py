"""Where the base that is shipped with the package lies."""

from pathlib import Path

BUILTIN_BASE = Path(__file__).parent / "bases" / "nightloom-16m"
