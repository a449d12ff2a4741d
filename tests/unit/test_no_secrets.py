"""The scan for committed secrets finds one, and ignores what looks like one. The whole scan is a gate of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstack import paths
from devstack.secret_scan import AZURITE_KEY, PUBLIC, scan, scan_all, tracked


def test_what_is_tracked_is_scanned() -> None:
    """Code of every package, papers, and the lists of what is spared."""
    names = set(tracked())

    assert {"README.md", "distributor/wiring.py", "foundation/lazy.py", "payflow/model.py"} <= names
    assert names >= PUBLIC
    assert scan_all(["README.md", "tests/unit/test_no_secrets.py", *PUBLIC]) == []


def test_the_emulators_public_key_is_no_secret(tmp_path: Path) -> None:
    """It is the same on every machine."""
    (tmp_path / "emulator.py").write_text(f"KEY = '{AZURITE_KEY}'\n")

    assert scan(["emulator.py"], root=tmp_path) == []
    assert paths.ROOT.is_dir()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("AccountKey=" + "kD8Lq2" * 14 + "aQ==", "Azure Storage Account access key"),
        ("-----BEGIN EC PRIVATE" + " KEY-----", "Private Key"),
        ("WEBHOOK_SECRET = '9f86d081884c7d659a2feaa0c55ad015" + "a3bf4f1b2b0b822cd15d6c15b0f00a08'", "Secret Keyword"),
    ],
)
def test_the_scan_finds_a_secret(tmp_path: Path, text: str, kind: str) -> None:
    """A scan that finds nothing must be one that could."""
    (tmp_path / "planted.py").write_text(text + "\n")

    assert f"planted.py:1 {kind}" in scan(["planted.py"], root=tmp_path)
