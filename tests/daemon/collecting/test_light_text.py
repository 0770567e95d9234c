"""Markdown, Org and reStructuredText: text as it is, without what programs wrote into it."""

import pytest

from daemon.collecting.front_matter import split_front_matter
from daemon.collecting.markdown_text import read_markdown
from daemon.collecting.org_text import read_org
from daemon.collecting.rst_text import read_rst

# --------------------------------------------------------------------------- front matter


def test_front_matter_is_what_is_known_and_no_text() -> None:
    text = (
        "---\n# of the garden\ntitle: 'Über Bienen'\nlang: de\ntags: [garten, \"bienen\"]\n"
        "authors:\n  - Ada\n  - Zoë\nparams:\n  depth: 3\nsecret: 1\nsummary: |\n  many lines\n"
        "---\n\nDie Bienen fliegen.\n"
    )
    assert split_front_matter(text) == (
        {"title": "Über Bienen", "language": "de", "tags": "garten, bienen", "author": "Ada, Zoë"},
        "Die Bienen fliegen.\n",
    )


@pytest.mark.parametrize(
    "text",
    [
        "---\n\nA rule, and then a letter: dear Zoë\nand more.\n\n---\nThe end.\n",
        "---\ntitle: never closed\n",
        "---\n---\nNothing in it.\n",
        "----\ntitle: a\n---\n",
        " ---\ntitle: a\n---\n",
        "title: a\n---\ntext\n",
        "---\n- a\n- b\n---\ntext\n",
        "---\ntitle: a\n" + "# many lines\n" * 300 + "---\ntext\n",
        "---",
        "",
    ],
)
def test_what_only_looks_like_front_matter_stays(text: str) -> None:
    assert split_front_matter(text) == ({}, text)


def test_long_values_are_cut() -> None:
    about, _ = split_front_matter(f"---\ntitle: {'a' * 5000}\n---\ntext\n")
    assert about == {"title": "a" * 200}


# --------------------------------------------------------------------------- Markdown


def test_markdown_without_anything_on_top_is_as_it_is() -> None:
    text = "# Bienen\n\nC++ has std::vector and `a::b`.\nid::\n```\n---\n```\n"
    assert read_markdown(text) == (text.replace("id::\n", ""), {})


def test_properties_of_logseq_are_no_text() -> None:
    text = (
        "title:: Bienen\ntags:: [[garten]], honig\n\n- Sie fliegen.\n  id:: 64f0-aa\n"
        "  collapsed:: true\n\t- Weit.\n\t  :LOGBOOK:\n\t  CLOCK: [2024-03-01 Fri]\n\t  :END:\n"
    )
    assert read_markdown(text) == (
        "\n- Sie fliegen.\n\t- Weit.\n",
        {"title": "Bienen", "tags": "garten, honig"},
    )


def test_settings_of_obsidians_plugins_are_no_text() -> None:
    text = '## To do\n\n- [ ] Honig\n\n%% kanban:settings\n```\n{"board":1}\n```\n%%\n'
    assert read_markdown(text)[0] == "## To do\n\n- [ ] Honig\n\n"


# --------------------------------------------------------------------------- Org


def test_org_keeps_its_text_and_tells_its_keywords() -> None:
    text = """#+TITLE: Bienenjahr
#+FILETAGS: :garten:bienen:
#+STARTUP: overview

* TODO Frühling :garten:
SCHEDULED: <2024-03-01 Fri> DEADLINE: [2024-04-01 Mon]
:PROPERTIES:
:ID: 8f14e45f
:END:
Die Bienen fliegen. :nicht: ein Drawer
# a comment
#no comment
#+BEGIN_QUOTE
Es summt.
#+END_QUOTE
#+BEGIN_SRC python
# code
x = 1
#+END_SRC
#+BEGIN_COMMENT
secret
#+END_COMMENT
** COMMENT Later
hidden
*** deeper
hidden
* Sommer
| a | b |
:END:
"""
    kept, about = read_org(text)
    assert kept.split("\n") == [
        "* TODO Frühling :garten:",
        "Die Bienen fliegen. :nicht: ein Drawer",
        "#no comment",
        "Es summt.",
        "#+BEGIN_SRC python",
        "# code",
        "x = 1",
        "#+END_SRC",
        "* Sommer",
        "| a | b |",
        ":END:",
        "",
    ]
    assert about == {"title": "Bienenjahr", "tags": "garten, bienen"}


def test_a_drawer_that_nobody_closed_is_text() -> None:
    assert read_org(":PROPERTIES:\nWords.\n* Heading\n:END:\n")[0].startswith(":PROPERTIES:\nWords")


def test_a_hundred_thousand_open_drawers_are_read_in_a_moment() -> None:
    assert read_org(":a:\n" * 100_000)[0].count(":a:") == 100_000


# --------------------------------------------------------------------------- reStructuredText


def test_rst_keeps_prose_and_tells_its_fields() -> None:
    text = """==========
Bienenjahr
==========

:Author: Ada
:Date: 2024-03-01

.. a comment
   of two lines

.. _target: https://example.org

Die Bienen fliegen.

.. note:: Nicht stören.
   :class: small

   Sie stechen.

.. code-block:: python

   x = 1

   y = 2

.. |bee| image:: bee.png
.. [1] Eine Fußnote.

Wörtlich::

    .. note:: so
"""
    kept, about = read_rst(text)
    assert [line for line in kept.split("\n") if line] == [
        "==========",
        "Bienenjahr",
        "==========",
        "Die Bienen fliegen.",
        "Nicht stören.",
        "Sie stechen.",
        "[1] Eine Fußnote.",
        "Wörtlich::",
        "    .. note:: so",
    ]
    assert about == {"author": "Ada", "date": "2024-03-01"}


def test_fields_in_the_text_stay() -> None:
    text = "A letter.\n\nDear Zoë,\n\nso it is.\n\n:param: of something\n"
    assert read_rst(text) == (text, {})


@pytest.mark.parametrize("line", ["..\n", ".. a\n", "   .. x::\n", ":a: b\n", "..\n   a\n"])
def test_many_strange_lines_are_read_in_a_moment_and_none_is_invented(line: str) -> None:
    text, _ = read_rst(line * 20_000)
    assert text.count("\n") <= (line * 20_000).count("\n")
