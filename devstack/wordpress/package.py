"""``plugin``: the zip that a shop uploads under *Plugins → Add New*, the same bytes from the same files."""

from __future__ import annotations

import re
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from devstack import paths
from devstack.console import Console, StepFailed
from devstack.wordpress.site import PLUGIN

OUT = paths.ROOT / "dist" / f"{PLUGIN.name}.zip"
KINDS = {".php", ".txt", ".pot", ".po", ".mo", "LICENSE"}
"""What the directory of plugins takes; anything else in the folder is a slip."""
_DATE = (1980, 1, 1, 0, 0, 0)  # the first a zip can hold
_MODE = 0o644 << 16


def run(console: Console, out: Path = OUT) -> int:
    """Write *out* and say what is in it; return 0. Raises StepFailed when the folder holds what no shop should get."""
    version = build(out)
    with ZipFile(out) as written:
        files = len(written.namelist())
    console.say(f"{out.relative_to(paths.ROOT) if out.is_relative_to(paths.ROOT) else out}", "bold")
    console.say(
        f"  version {version}, {files} files, {out.stat().st_size / 1024:.0f} KiB. Upload: Plugins, Add New, Upload."
    )
    return 0


def build(out: Path, folder: Path = PLUGIN) -> str:
    """Write the zip of *folder* to *out*, one folder at its root as WordPress asks; return the plugin's version."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    strange = [str(file.relative_to(folder)) for file in files if (file.suffix or file.name) not in KINDS]
    if strange:
        raise StepFailed(f"no shop should get this: {', '.join(strange)}")
    version = _version(folder)
    out.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(out, "w", ZIP_DEFLATED) as package:
        for file in files:
            entry = ZipInfo(f"{folder.name}/{file.relative_to(folder).as_posix()}", _DATE)
            entry.external_attr, entry.compress_type = _MODE, ZIP_DEFLATED
            package.writestr(entry, file.read_bytes())
    return version


def _version(folder: Path) -> str:
    """Return the version that header and readme agree on; raises StepFailed when they differ."""
    header = re.search(r"^ \* Version: +(\S+)$", (folder / f"{folder.name}.php").read_text("utf-8"), re.MULTILINE)
    stable = re.search(r"^Stable tag: (\S+)$", (folder / "readme.txt").read_text("utf-8"), re.MULTILINE)
    if header is None or stable is None or header[1] != stable[1]:
        raise StepFailed("the version in the plugin's header and the stable tag in its readme.txt differ")
    return header[1]
