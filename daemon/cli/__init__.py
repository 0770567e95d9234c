"""The `nightloom` command: what a person types, turned into questions to the service.

Knows the sockets and how to print; knows nothing of torch, and opens the vault only in `init`.
One file per group of commands. Imports that cost time stand inside the commands that need them,
so that `nightloom status` answers at once.
"""


def main() -> None:
    """Entry point of the `nightloom` command."""
    from daemon.cli.root import nightloom

    nightloom(prog_name="nightloom")
