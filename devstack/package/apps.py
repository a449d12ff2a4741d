"""The two apps of this repository: what each is made of, and what its package is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devstack import paths

ENTRY = "function_app.py"
"""What the platform looks for when no setting names another file, so that no setting can be forgotten."""
HOST = "host.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class App:
    """One app, and how its package is made."""

    name: str
    entry: str
    """The file that makes the app; in the package it is called ENTRY."""
    host: str
    """Its host.json."""
    folders: tuple[str, ...]
    """The packages of this repository that it is made of."""
    patterns: tuple[str, ...]
    """Which files of those run in Azure."""
    lock: Path
    """Every library it is deployed with, its version and hashes."""
    out: Path
    """Where the package goes."""
    without: tuple[str, ...] = ()
    """Packages of those folders that this app does not use, nor what they import."""

    def sources(self, root: Path) -> dict[str, Path]:
        """Return the files of the app in *root*, by their name in the package."""
        paths_found = {path.relative_to(root).as_posix(): path for each in self.patterns for path in root.glob(each)}
        found = {name: path for name, path in paths_found.items() if not name.startswith(self.without)}
        return dict(sorted({**found, ENTRY: root / self.entry, HOST: root / self.host}.items()))


PAGES = ("distributor/console/templates/*", "foundation/console/templates/*")
"""What the console's pages are made of."""

DISTRIBUTOR = App(
    name="distributor",
    entry="function_app.py",
    host="host.json",
    folders=("distributor", "foundation"),
    patterns=("distributor/**/*.py", "distributor/locale/**/*.[mp]o", *PAGES, "foundation/**/*.py"),
    lock=paths.ROOT / "requirements.lock",
    out=paths.ROOT / "dist" / "app.zip",
)
PAYFLOW = App(
    name="payflow",
    entry="payflow_app.py",
    host="payflow/host.json",
    folders=("payflow", "foundation"),
    patterns=("payflow/**/*.py", "foundation/**/*.py"),
    lock=paths.ROOT / "payflow" / "requirements.lock",
    out=paths.ROOT / "dist" / "payflow.zip",
    without=("foundation/console/",),
)
APPS: Mapping[str, App] = {app.name: app for app in (DISTRIBUTOR, PAYFLOW)}
