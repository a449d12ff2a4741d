"""
Is this zip ready to run? Asked before it is uploaded, because the platform does not ask.

``az functionapp deploy`` never builds: a package without its libraries, or with those of another
Python, is uploaded with success, and then the app has no functions and answers 404.

Source: https://github.com/Azure/azure-cli/issues/31311
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from packaging.tags import Tag, compatible_tags, cpython_tags, parse_tag
from packaging.utils import NormalizedName, canonicalize_name

from devstack.package import stamp
from devstack.package.apps import DISTRIBUTOR, ENTRY, HOST, App
from devstack.package.build import PACKAGES
from devstack.package.lock import Pin, pins

_ROOT = (HOST, ENTRY)
_BESIDE = (".python_packages", "__pycache__")
_METADATA = re.compile(re.escape(PACKAGES) + r"/(?P<name>[^/]+)-(?P<version>[^/-]+)\.dist-info/WHEEL")
_TAG = re.compile(rb"^Tag: (.+)$", re.MULTILINE)
_GLIBC_MINORS = range(28, 4, -1)  # manylinux_2_5 is the oldest there is; the platform's images are newer than 2.28
_OLD_NAMES = ("manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64")


def problems(package: Path, lock: str, python: str, app: App = DISTRIBUTOR) -> list[str]:
    """
    Return what keeps *package* from running on the Functions platform, a sentence each; nothing when it is ready.

    Args:
        package: The zip.
        lock: Text of the app's lock.
        python: Version the app is configured with, ``3.12``.
        app: Whose package it is.
    """
    try:
        with ZipFile(package) as opened:
            if damaged := opened.testzip():
                return [f"{damaged} is damaged"]
            names = opened.namelist()
            libraries = list(_libraries(names, opened.read))
            stamps = [opened.read(name) for name in names if name == stamp.NAME]
    except (OSError, BadZipFile, zlib.error) as why:
        return [f"{package} cannot be read as a zip: {why}"]
    found = [*_at_the_root(names), *_strangers(names, app), *_bytecode(names, python), *_stamp(stamps, app, python)]
    if not libraries:
        return [*found, f"{PACKAGES} is empty: nothing is built after the upload, so the app would have no functions"]
    return [*found, *_pinned(libraries, pins(lock, python)), *_built_for(libraries, python)]


class _Library:
    """A library in the package, by its notes."""

    def __init__(self, name: str, version: str, wheel: bytes) -> None:
        self.name: NormalizedName = canonicalize_name(name)
        self.version = version
        self.tags = frozenset(tag for line in _TAG.findall(wheel) for tag in parse_tag(line.decode().strip()))


def _libraries(names: Sequence[str], read: Callable[[str], bytes]) -> Iterator[_Library]:
    for name in names:
        if found := _METADATA.fullmatch(name):
            yield _Library(found["name"], found["version"], read(name))


def _at_the_root(names: Sequence[str]) -> Iterator[str]:
    for wanted in _ROOT:
        if wanted not in names:
            deeper = next((f"; it is at {name}" for name in names if name.endswith(f"/{wanted}")), "")
            yield f"{wanted} is not at the root of the zip{deeper}"


def _strangers(names: Sequence[str], app: App) -> Iterator[str]:
    for name in sorted({name.partition("/")[0] + ("/" if "/" in name else "") for name in names}):
        if name not in _ROOT and name.rstrip("/") not in {*app.folders, *_BESIDE}:
            yield f"{name} does not belong into the package"


def _stamp(stamps: Sequence[bytes], app: App, python: str) -> Iterator[str]:
    """Without a stamp nobody learns afterwards what runs."""
    try:
        (text,) = stamps
        said = stamp.stamped(text.decode())
    except ValueError:
        yield f"{stamp.NAME} is missing, or says nothing: nobody could tell which version runs"
        return
    if (said["app"], said["python"]) != (app.name, python):
        yield f"it is the package of {said['app']} for Python {said['python']}, not of {app.name} for Python {python}"


def _bytecode(names: Sequence[str], python: str) -> Iterator[str]:
    ours = f".cpython-{python.replace('.', '')}.pyc"
    other = next((name for name in names if name.endswith(".pyc") and not name.endswith(ours)), None)
    if other:
        yield f"{other} is bytecode of another Python than {python}"


def _pinned(libraries: Sequence[_Library], wanted: Sequence[Pin]) -> Iterator[str]:
    there = {each.name: each.version for each in libraries}
    for pin in wanted:
        if there.get(pin.name) != pin.version:
            yield f"{pin.name} is {there.get(pin.name, 'missing')}, the lock says {pin.version}"
    for name in sorted(there.keys() - {pin.name for pin in wanted}):
        yield f"{name} is not in the lock"


def _built_for(libraries: Sequence[_Library], python: str) -> Iterator[str]:
    fitting = _tags(python)
    for each in libraries:
        if each.tags.isdisjoint(fitting):
            built = min(map(str, each.tags), default="nothing")
            yield f"{each.name} is built for {built}, not for Python {python} on Linux, x86-64"


def _tags(python: str) -> set[Tag]:
    """Return what a wheel may be built for, to run with *python* there."""
    major, minor = map(int, python.split("."))
    platforms = [*(f"manylinux_2_{glibc}_x86_64" for glibc in _GLIBC_MINORS), *_OLD_NAMES, "linux_x86_64"]
    version: Any = (major, minor)
    return {*cpython_tags(version, platforms=platforms), *compatible_tags(version, f"cp{major}{minor}", platforms)}
