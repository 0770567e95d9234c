"""Before the virtual environment is made: does this Python have what that takes?

One sentence with what to do, or nothing. Runs on any Python 3, so it is written for old ones, and
looks only at what the interpreter itself can tell.
"""

import sys

OLDEST = (3, 11)


def complaint(version, modules):
    """What is missing, as the user's sentence; None where nothing is."""
    if tuple(version[:2]) < OLDEST:
        return (
            "nightloom needs Python 3.11 or later and this is {}.{}; install a newer one and name "
            "it: make PYTHON=python3.11 ...".format(*version[:2])
        )
    if any(not modules(name) for name in ("venv", "ensurepip")):
        return (
            "This Python cannot make virtual environments; on Debian or Ubuntu install what is "
            "missing with: apt-get install python3-venv"
        )
    return None


def is_there(name):
    """Whether a module of the standard library can be imported."""
    try:
        __import__(name)
    except ImportError:
        return False
    return True


if __name__ == "__main__":
    missing = complaint(sys.version_info, is_there)
    if missing is not None:
        sys.exit(missing)
