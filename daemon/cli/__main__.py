"""`python -m daemon.cli` is `nightloom`; the demo starts its service this way."""

from daemon.cli import main

main()
