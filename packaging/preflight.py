"""Before the virtual environment is made: does this Python have what that takes?

One sentence with what to do where something is missing, one where something would help, or
nothing. Runs on any Python 3, so it is written for old ones.
"""

import os
import subprocess
import sys
import sysconfig

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


def hint(compiles):
    """What would make nights faster, as the user's sentence; None where it is there."""
    if compiles:
        return None
    return (
        "There is no C compiler that works, so nights and answers will be slower; on Debian or "
        "Ubuntu install one first with: apt-get install gcc libc6-dev"
    )


def compiler_works():
    """Whether the compiler that builds extensions of this Python is there, and has C's headers."""
    command = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    given = b"#include <pthread.h>\n#include <stdlib.h>\n"
    try:
        compiling = subprocess.Popen(
            [*command.split(), "-fsyntax-only", "-x", "c", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        compiling.communicate(given)
    except OSError:
        return False
    return compiling.returncode == 0


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
    wished = hint(compiler_works())
    if wished is not None:
        sys.stderr.write(wished + "\n")
