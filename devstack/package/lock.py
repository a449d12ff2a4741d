"""
``requirements.lock``, one for each app: every library of the deployed app, its version, and its files' hashes.

pip decides which lines concern it by the Python it runs in; a package is built on one Python for
another. So the lines are chosen here, by what is true where the app will run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

_HASH = " --hash="


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """One package at one version."""

    name: NormalizedName
    version: str
    hashes: tuple[str, ...]
    """Of each file it is published in, with the name of the algorithm: ``sha256:…``."""

    def line(self) -> str:
        """Return what pip reads."""
        return f"{self.name}=={self.version}" + "".join(_HASH + found for found in self.hashes)


def pins(lock: str, python: str) -> list[Pin]:
    """
    Return what *lock* pins for the Functions platform with *python*.

    Args:
        lock: The text of a lock file as ``uv pip compile --universal --generate-hashes`` writes it.
        python: Two numbers, ``3.12``.
    """
    environment = linux(python)
    return [pin for marked, pin in _lines(lock) if marked.marker is None or marked.marker.evaluate(environment)]


def linux(python: str) -> dict[str, str]:
    """
    Return what is true where *python* runs the app: CPython on Linux, x86-64.

    Source: https://packaging.python.org/en/latest/specifications/dependency-specifiers/#environment-markers
    """
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }


def _lines(lock: str) -> Iterator[tuple[Requirement, Pin]]:
    for line in lock.replace("\\\n", " ").splitlines():
        text, *hashes = line.split(_HASH)
        if text.strip() and not text.lstrip().startswith("#"):
            wanted = Requirement(text)
            (exact,) = wanted.specifier
            yield (
                wanted,
                Pin(
                    name=canonicalize_name(wanted.name),
                    version=exact.version,
                    hashes=tuple(each.strip() for each in hashes),
                ),
            )
