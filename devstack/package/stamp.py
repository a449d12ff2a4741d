"""What a package says of itself: the app, the release, the commit of its sources, the Python it is for."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from foundation.version import RELEASE, STAMP

NAME = f"foundation/{STAMP.name}"
_DIGITS = 12


def commit(root: Path, files: Sequence[Path]) -> str:
    """
    Return the commit of *files* in *root*: its first digits, then ``.changed.`` where a file differs from it.

    ``unknown.`` where there is no git, or no repository: an archive of the sources. Both end with digits of the files
    themselves, so that two packages of one name are one package: a deployment compares names.
    """
    head = _git(root, "rev-parse", f"--short={_DIGITS}", "HEAD")
    if not head:
        return f"unknown.{_digest(files)}"
    names = {path.relative_to(root).as_posix() for path in files}
    changed = {line[3:] for line in _git(root, "status", "--porcelain", "--untracked-files=all").splitlines()}
    return f"{head.strip()}.changed.{_digest(files)}" if names & changed else head.strip()


def stamp(app: str, commit: str, python: str) -> str:
    """Return the text of the stamp; the same for the same sources."""
    return json.dumps({"app": app, "commit": commit, "python": python, "release": RELEASE}, indent=2) + "\n"


def stamped(text: str) -> dict[str, str]:
    """Return what a stamp says. Raises ValueError if it is not one."""
    found = json.loads(text)
    if not isinstance(found, dict) or {"app", "commit", "python", "release"} - found.keys():
        raise ValueError("not a stamp")
    return {name: str(value) for name, value in found.items()}


def _digest(files: Sequence[Path]) -> str:
    """Return digits of what *files* hold, in their order."""
    found = sha256()
    for file in files:
        content = file.read_bytes()
        found.update(f"{file.name} {len(content)} ".encode() + content)
    return found.hexdigest()[:_DIGITS]


def _git(root: Path, *arguments: str) -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    ended = subprocess.run([git, *arguments], cwd=root, capture_output=True, text=True, check=False)
    return ended.stdout if ended.returncode == 0 else ""
