"""LaTeX: the text of the body, mathematics as it is written."""

import io
from contextlib import suppress

import pytest

from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import Unreadable
from daemon.extracting.latex import extract
from tests.daemon.extracting.papers import FACTS, LETTER

PAPER = r"""\documentclass{article}
\usepackage[utf8]{inputenc} % how it is written
\title{Über \emph{Bienen}}
\newcommand{\hive}[1]{hive #1}
\begin{document}
\maketitle
\section{Fr\"uhling} \label{sec:spring}
LETTER Davon sind 50\% \emph{los}. % not for the reader
Siehe \cite[S.~3]{huber} und
mehr.\footnote{Eine Fu\ss{}note.}

Es gilt $a^2 + b^2 = c^2$ und
\[ \int_0^1 x\,dx = \frac12 \]

\begin{itemize}
\item Zucker
\item \textbf{Honig}
\end{itemize}
\begin{figure}\includegraphics[width=3cm]{bee.png}\caption{Eine Biene.}\end{figure}
\href{https://example.org}{Hier} \input{../secret}
\begin{lstlisting}
int x;
\end{lstlisting}
\begin{thebibliography}{9}\bibitem{huber} Huber.\end{thebibliography}
\end{document}
What stands behind the end.
""".replace("LETTER", LETTER)


def test_the_body_reads_as_it_is_printed() -> None:
    (paper,) = extract(io.BytesIO(PAPER.encode()), FACTS)
    assert paper.text.split("\n\n") == [
        "## Frühling",
        f"{LETTER} Davon sind 50% los. Siehe und mehr. (Eine Fußnote.)",
        "Es gilt $a^2 + b^2 = c^2$ und",
        r"\[ \int_0^1 x\,dx = \frac12 \]",
        "- Zucker\n- Honig",
        "Eine Biene. Hier",
    ]
    assert paper.about == {"title": "Über Bienen", "format": "latex"}


def test_a_chapter_of_its_own_has_no_preamble() -> None:
    (chapter,) = extract(io.BytesIO(b"\\chapter{Spring}\nThe damsons flowered."), FACTS)
    assert chapter.text == "# Spring\n\nThe damsons flowered."


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", SkipReason.NO_TEXT),
        (b"% only a comment", SkipReason.NO_TEXT),
        (bytes(range(256)), SkipReason.DAMAGED),
    ],
)
def test_what_holds_no_text_is_named(data: bytes, reason: SkipReason) -> None:
    with pytest.raises(Unreadable) as caught:
        list(extract(io.BytesIO(data), FACTS))
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    "source",
    ["{" * 50_000, r"\begin{a}" * 5_000, "$" * 5_000, r"\emph{" * 5_000, "\\" * 5_001,
     "%" * 50_000, r"\title{" + "{" * 5_000, r"\cite[" * 2_000, "a\n\n" * 5_000],
)  # fmt: skip
def test_torn_sources_end_with_a_text_or_with_a_reason(source: str) -> None:
    said: list[str] = []
    with suppress(Unreadable, RecursionError):  # the second is a reason to the child: damaged
        said = [one.text for one in extract(io.BytesIO(source.encode()), FACTS)]
    assert all(text.strip() and len(text) <= len(source) for text in said)
