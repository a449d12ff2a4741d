"""
No secret is committed: every tracked file is scanned.

Outside ``tests`` whatever looks like a secret fails, random-looking texts among it, unless the line says
why it is none (``pragma: allowlist secret``). Tests are full of made-up secrets and of vectors, so there
only what a real service would have issued counts: cloud keys, tokens, private key blocks.
"""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Sequence
from pathlib import Path

import pytest
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import default_settings, get_settings

from devstack import paths

LOOKALIKES = {"Base64HighEntropyString", "HexHighEntropyString", "KeywordDetector", "BasicAuthDetector"}
GENERATED = {"package-lock.json", "requirements.lock"}
"""Hashes of packages; a secret in them would have to be put there by a package manager."""
PUBLIC = {
    "local.settings.json.example",  # the emulators' own public keys; test_settings_papers compares them
}
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Public, the same in every storage emulator: https://learn.microsoft.com/azure/storage/common/storage-use-azurite."""


def tracked() -> Sequence[str]:
    """Return every file that git knows; in an unpacked archive there is no git, and nothing to commit."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=paths.ROOT, capture_output=True, check=False, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [name for name in listed.stdout.split("\0") if name]


def found(names: Sequence[str], *, without: Collection[str] = (), root: Path = paths.ROOT) -> list[str]:
    """Return where something looks like a secret."""
    secrets = SecretsCollection(root=str(root))
    with default_settings():
        get_settings().disable_plugins(*without)
        secrets.scan_files(*names)
        return sorted(
            f"{name}:{secret.line_number} {secret.type}"
            for name, secret in secrets
            if AZURITE_KEY not in (secret.secret_value or "")
        )


def test_no_secret_is_committed() -> None:
    """In code, documents, templates and workflows."""
    names = [name for name in tracked() if not name.startswith("tests/") and name not in GENERATED | PUBLIC]
    php = [name for name in names if name.endswith(".php")]

    assert found([name for name in names if name not in php]) == []
    assert found(php, without={"KeywordDetector"}) == []  # it takes the code of an error, 'secret_short', for a secret


def test_no_real_secret_is_committed_with_a_test() -> None:
    """Made-up ones are the point of many tests."""
    names = [name for name in tracked() if name.startswith("tests/")]

    assert found(names, without=LOOKALIKES) == []


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

    assert f"planted.py:1 {kind}" in found(["planted.py"], root=tmp_path)
