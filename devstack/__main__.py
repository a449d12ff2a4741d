"""
Starts the local stack: ``python3 -m devstack up``.

This file must be readable by any Python 3, however old, so that an old one gets a sentence instead
of a SyntaxError: no f-strings, quoted annotations, and nothing imported from the project before
the version is known.
"""

# Written for Python 3.0 and later, not for the project's 3.11:
# ruff: noqa: UP031, PTH118, PTH120, PTH123

import os
import subprocess
import sys

OLDEST = (3, 11)
NEWER = ("3.13", "3.12", "3.11")


def main(arguments: "list[str]") -> int:
    """Run the command, in a newer Python when this one is too old; return the exit code."""
    if sys.version_info >= OLDEST:
        from devstack import command

        return command.main(arguments)
    for python in candidates(sys.platform):
        if works(python):
            return run_in(python, arguments)
    sys.stderr.write(
        "devstack needs Python %d.%d or newer, and this is %d.%d: install it from https://www.python.org/downloads/"
        " and run this again.\n" % (OLDEST + tuple(sys.version_info[:2]))
    )
    return 1


def candidates(platform: str) -> "list[list[str]]":
    """Return the commands that may start a newer Python: those beside this one first, then those on PATH."""
    if platform == "win32":
        return [["py", "-" + version] for version in NEWER]
    beside = os.path.dirname(os.path.realpath(sys.executable))
    names = ["python" + version for version in NEWER]
    return [[os.path.join(beside, name)] for name in names] + [[name] for name in names]


def works(python: "list[str]") -> bool:
    """Tell whether *python* starts and is new enough; a version manager's stand-in may be neither."""
    question = "import sys; sys.exit(sys.version_info < (%d, %d))" % OLDEST
    command = python + ["-c", question]  # noqa: RUF005 -- a star in a list is Python 3.5
    try:
        with open(os.devnull, "w") as nothing:
            return subprocess.call(command, stdout=nothing, stderr=nothing) == 0
    except OSError:
        return False


def run_in(python: "list[str]", arguments: "list[str]") -> int:
    """Run this again in *python*; where the system can, in place of this process."""
    again = python + ["-m", "devstack"] + arguments  # noqa: RUF005 -- the same
    if os.name == "nt":
        return subprocess.call(again)
    return os.execvp(again[0], again)  # noqa: S606 -- no shell wanted; never returns


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
