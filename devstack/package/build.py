"""
Builds the package the platform runs as it is: sources, wheels for its Python, and their bytecode.

The same input gives the same bytes: versions and hashes come from the lock, bytecode depends on no
time and no folder, entries are sorted and carry one date and one mode.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from devstack import paths
from devstack.console import Console, StepFailed
from devstack.package import stamp
from devstack.package.apps import App
from devstack.package.lock import Pin, pins

PACKAGES = ".python_packages/lib/site-packages"
"""Where the worker looks. Source: https://learn.microsoft.com/azure/azure-functions/functions-reference-python"""
LOG = paths.STATE / "package.log"
_GLIBC = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64")
"""The platform's images are newer than the newest of them; the older ones are taken where a library has both."""
_DATE = (1980, 1, 1, 0, 0, 0)  # the first a zip can hold
_MODE = 0o100644 << 16
_UNIX = 3
_DEAD = re.compile(r"/(SelfTest|tests?|module_testing|contract_sources)/|\.(c|cpp|h|pyx|pxd|pxi|pyi)$")
"""What nothing reads where the app runs: the libraries' own tests, sources for compilers, types for editors."""
_LEFT_OUT = ("RECORD", "INSTALLER", "REQUESTED")
"""What pip notes about an installation, paths of this machine's scripts included; nobody reads it at run time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """What a package is made of."""

    app: App
    root: Path
    """Folder of the repository."""
    lock: str
    """Text of the app's lock."""
    commit: str
    """What the sources are, for the stamp."""
    python: str
    """Version that will run it, ``3.12``."""
    interpreter: Path | None
    """A Python of that version, the only one that can make its bytecode; None: a package without bytecode."""


def build(console: Console, recipe: Recipe, out: Path) -> None:
    """
    Write the package to *out*; nothing is there when a step fails.

    Raises:
        StepFailed: A wheel cannot be had, has another hash, or does not compile.
    """
    out.unlink(missing_ok=True)
    LOG.parent.mkdir(exist_ok=True)
    LOG.unlink(missing_ok=True)
    with TemporaryDirectory(prefix="package-") as folder:
        stage = Path(folder)
        with console.step(f"install the wheels for Python {recipe.python} on Linux, x86-64"):
            _install(pins(recipe.lock, recipe.python), recipe.python, stage)
        _copy(recipe.app.sources(recipe.root), stage)
        (stage / stamp.NAME).write_text(
            stamp.stamp(recipe.app.name, recipe.commit, recipe.python), "utf-8", newline="\n"
        )
        if recipe.interpreter:
            with console.step("make the bytecode"):
                _compile(recipe.interpreter, stage)
        with console.step("write the zip"):
            _archive(stage, out)


def _install(wanted: Iterable[Pin], python: str, stage: Path) -> None:
    """Unpack exactly the pinned wheels; what has no wheel, or another hash than the lock's, ends it."""
    lines = stage / "pinned.txt"
    lines.write_text("\n".join(pin.line() for pin in wanted), "ascii")
    target = stage / PACKAGES
    exactly = ["--no-deps", "--require-hashes", "--no-compile", "--only-binary=:all:", f"--python-version={python}"]
    # pip compares what a wheel requires with the Python it runs on itself; the lock chose for the other one.
    exactly.append("--ignore-requires-python")
    platforms = [f"--platform={each}" for each in _GLIBC]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    _run([*pip, *exactly, *platforms, "--implementation=cp", f"--target={target}", f"--requirement={lines}"], stage)
    lines.unlink()
    shutil.rmtree(target / "bin", ignore_errors=True)  # commands, which begin with the path of this machine's Python
    for name in _LEFT_OUT:
        for note in target.glob(f"*.dist-info/{name}"):
            note.unlink()
    for path in sorted(target.rglob("*")):
        if is_dead(path.relative_to(target).as_posix()) and path.is_file():
            path.unlink()


def is_dead(name: str) -> bool:
    """Tell whether nothing reads that file of a library where the app runs."""
    return bool(_DEAD.search(f"/{name}"))


def _copy(files: Mapping[str, Path], stage: Path) -> None:
    for name, path in files.items():
        copied = stage / name
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)


def _compile(interpreter: Path, stage: Path) -> None:
    """
    Make bytecode that is never compared with its source: the package is mounted for reading only.

    One after another: parallel workers share their strings differently, and the bytes differ with it.

    Source: https://docs.python.org/3/reference/import.html#pyc-invalidation
    """
    _run([str(interpreter), "-I", "-S", "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash", "."], stage)


def _archive(stage: Path, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = out.with_suffix(".new")
    with ZipFile(fresh, "w", ZIP_DEFLATED, compresslevel=9) as package:
        for name, path in sorted((path.relative_to(stage).as_posix(), path) for path in stage.rglob("*")):
            if path.is_file():
                entry = ZipInfo(name, _DATE)
                entry.external_attr, entry.create_system, entry.compress_type = _MODE, _UNIX, ZIP_DEFLATED
                package.writestr(entry, path.read_bytes())
    fresh.replace(out)


def _run(command: Sequence[str], folder: Path) -> None:
    with LOG.open("ab") as log:
        log.write(f"\n$ {' '.join(command)}\n".encode())
        log.flush()
        ended = subprocess.run(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, check=False)
    if ended.returncode:
        raise StepFailed(f"`{' '.join(command[:4])} ...` ended with code {ended.returncode}.", LOG)
