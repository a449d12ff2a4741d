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

    def sources(self, root: Path) -> dict[str, Path]:
        """Return the files of the app in *root*, by their name in the package."""
        found = {path.relative_to(root).as_posix(): path for each in self.patterns for path in root.glob(each)}
        return dict(sorted({**found, ENTRY: root / self.entry, HOST: root / self.host}.items()))


FRAME = "foundation/console/templates/*"
"""What the pages of both apps are made of, beside their own."""

DISTRIBUTOR = App(
    name="distributor",
    entry="function_app.py",
    host="host.json",
    folders=("distributor", "foundation"),
    patterns=(
        "distributor/**/*.py",
        "distributor/locale/**/*.[mp]o",
        "distributor/locale/*/details.json",
        "distributor/console/templates/*",
        FRAME,
        "foundation/**/*.py",
    ),
    lock=paths.ROOT / "requirements.lock",
    out=paths.ROOT / "dist" / "app.zip",
)
PAYFLOW = App(
    name="payflow",
    entry="payflow_app.py",
    host="payflow/host.json",
    folders=("payflow", "foundation"),
    patterns=(
        "payflow/**/*.py",
        "payflow/locale/**/*.[mp]o",
        "payflow/office/templates/*",
        "payflow/console/templates/*",
        FRAME,
        "foundation/**/*.py",
    ),
    lock=paths.ROOT / "payflow" / "requirements.lock",
    out=paths.ROOT / "dist" / "payflow.zip",
)
APPS: Mapping[str, App] = {app.name: app for app in (DISTRIBUTOR, PAYFLOW)}
