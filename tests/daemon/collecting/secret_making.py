"""Secrets for the tests, made when they run: none that looks real stands in the repository."""

import random
import re
import string
import uuid

DIGITS, HEX = string.digits, "0123456789abcdef"
_ALPHABETS = {
    "w": string.ascii_letters + DIGITS,
    "d": string.ascii_letters + DIGITS + "_-",
    "h": HEX,
    "n": DIGITS,
    "U": string.ascii_uppercase + DIGITS,
    "B": string.ascii_uppercase + "234567",
    "b": string.ascii_letters + DIGITS + "+/",
    "l": string.ascii_lowercase + DIGITS,
    "q": "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
}


def made(template: str, seed: int = 1) -> str:
    """A template with its holes filled: `ghp_{w36}` has 36 letters and digits, {u} is a UUID."""
    chance = random.Random(f"{template} {seed}")

    def fill(hole: re.Match[str]) -> str:
        if hole[1] == "u":
            return str(uuid.UUID(int=chance.getrandbits(128), version=4))
        signs = _ALPHABETS[hole[1]]
        text = "".join(chance.choice(signs) for _ in range(int(hole[2])))
        return text if text[0] not in "_-" else "k" + text[1:]

    return re.sub(r"\{([a-zA-Z])(\d*)\}", fill, template)
