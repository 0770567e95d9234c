"""What is new in a text that has grown: a diary, a chat, a list. Pure.

A version that follows one that was learned is compared with it from both ends, in whole paragraphs:
what lies between is new. So an entry at the end is learned alone, one at the beginning as well, and
a paragraph that was changed in the middle; where little is the same, nearly all of it is new.
"""

import re

PARAGRAPH = re.compile(r"\n[ \t\r]*\n\s*|\n")


def new_part(old: str, new: str) -> tuple[int, int]:
    """The stretch of `new` that `old` does not have; begins and ends at borders of paragraphs.

    Lines count as paragraphs, since chats and lists have no others. Nothing new: an empty one.
    """
    borders = [0, *(found.end() for found in PARAGRAPH.finditer(new)), len(new)]
    same = _same_beginning(old, new)
    if same == len(new):
        return len(new), len(new)
    if same == len(old) and PARAGRAPH.match(new, same):
        start = next(place for place in borders if place > same)  # only white space lies between
    else:
        start = max(place for place in borders if place <= same)
    rest = min(len(old), len(new)) - min(start, len(old))
    same_end = _same_beginning(old[::-1][: max(0, rest)], new[::-1])
    least = max(start, len(new) - same_end)
    return start, min(place for place in borders if place >= least)


def _same_beginning(one: str, other: str) -> int:
    """Characters that both begin with."""
    least, most = 0, min(len(one), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        if one[least:middle] == other[least:middle]:
            least = middle
        else:
            most = middle - 1
    return least
