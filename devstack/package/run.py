"""
``package``: make ``dist/app.zip``, or ``dist/payflow.zip``, ready to run: nothing is built after the upload.

The zip is checked as the platform will use it, before anything is uploaded.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from zipfile import ZipFile

from devstack import paths
from devstack.console import Console, StepFailed
from devstack.package import build as package_build
from devstack.package import check as package_check
from devstack.package import index as package_index
from devstack.package import stamp
from devstack.package.apps import DISTRIBUTOR, App
from devstack.package.build import Recipe

_MEGABYTE = 1_000_000


def run(console: Console, *, app: App = DISTRIBUTOR, python: str, check: Path | None) -> int:
    """Build the package of *app* for *python*, or *check* one built elsewhere; return 0. Raises StepFailed."""
    package = check or app.out
    interpreter = interpreter_of(python)
    if not check:
        package_build.build(console, recipe(app, python, interpreter), package)
    try:
        _check(console, package, app, python)
        _index(console, package, interpreter, app, python)
    except StepFailed:
        if not check:
            package.unlink(missing_ok=True)  # nobody shall upload it
        raise
    _report(console, package, python, compiled=_compiled(package))
    return 0


def recipe(app: App, python: str, interpreter: Path | None) -> Recipe:
    """Return what the package of *app* is made of: the files of this repository, as they are now."""
    commit = stamp.commit(paths.ROOT, [*app.sources(paths.ROOT).values(), app.lock])
    return Recipe(
        app=app,
        root=paths.ROOT,
        lock=app.lock.read_text("utf-8"),
        commit=commit,
        python=python,
        interpreter=interpreter,
    )


def interpreter_of(version: str) -> Path | None:
    """Return a Python of exactly that version on this machine; None when there is none."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return Path(sys.executable)
    return next((found for launcher in _launchers(version) if (found := _started_by(launcher, version))), None)


def _launchers(version: str) -> Iterator[list[str]]:
    """Yield what may start that Python: the one on PATH, then those that pyenv keeps beside the one in use."""
    yield ["py", f"-{version}"] if sys.platform == "win32" else [f"python{version}"]
    kept = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    yield from ([str(path)] for path in sorted(kept.glob(f"{version}.*/bin/python{version}")))


def _started_by(launcher: Sequence[str], version: str) -> Path | None:
    question = "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.executable)"
    try:
        told = subprocess.run([*launcher, "-c", question], capture_output=True, text=True, check=False).stdout
    except OSError:
        return None
    said, _, executable = told.strip().partition("\n")  # a version manager's stand-in may start another, or nothing
    return Path(executable) if said == version else None


def _check(console: Console, package: Path, app: App, python: str) -> None:
    with console.step("check what is in it"):
        found = package_check.problems(package, app.lock.read_text("utf-8"), python, app)
        if found:
            raise StepFailed(f"{package} is not ready to run with Python {python}:\n  " + "\n  ".join(found))


def _index(console: Console, package: Path, interpreter: Path | None, app: App, python: str) -> None:
    """Load it as the platform will; its wheels run on Linux, x86-64, alone."""
    if interpreter is None or not package_index.loadable():
        console.say(f"  not loaded: that takes Linux, x86-64, and Python {python}", "bold")
        return
    with console.step("load it with no library but its own"):
        found = package_index.functions(package, interpreter, app)
    for name, trigger in found.items():
        console.say(f"    {package_index.described(name, trigger)}")


def _compiled(package: Path) -> bool:
    with ZipFile(package) as opened:
        return any(name.endswith(".pyc") for name in opened.namelist())


def _report(console: Console, package: Path, python: str, *, compiled: bool) -> None:
    with ZipFile(package) as opened:
        unpacked = sum(entry.file_size for entry in opened.infolist())
        said = stamp.stamped(opened.read(stamp.NAME).decode())
    size = package.stat().st_size
    console.say(f"""
{package}
  version    {said["app"]} {said["release"]}+{said["commit"]}
  for        Python {python} on Linux, x86-64
  size       {size / _MEGABYTE:.1f} MB, {unpacked / _MEGABYTE:.1f} MB unpacked
  SHA-256    {hashlib.sha256(package.read_bytes()).hexdigest()}""")
    if not compiled:
        console.say(
            f"  bytecode   none: no Python {python} on this machine. The app runs, and compiles itself at every start.",
            "bold",
        )
    console.say(f"""
Upload it, and see that Azure lists its functions:
  python3 -m devstack deploy {said["app"]} --resource-group GROUP --name APP --package {package}""")
