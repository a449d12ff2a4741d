"""
No secret is committed: every tracked file is scanned, once, as a gate.

Outside ``tests`` everything that looks like a secret fails, random-looking texts among it, unless the
line says why it is not one (``pragma: allowlist secret``). Tests are full of made-up secrets and of
vectors, so there only what a real service would have issued counts: cloud keys, tokens, private keys.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import default_settings, get_settings

from devstack import paths

LOOKALIKES = {"Base64HighEntropyString", "HexHighEntropyString", "KeywordDetector", "BasicAuthDetector"}
GENERATED = {"package-lock.json", "requirements.lock", "payflow/requirements.lock"}
"""Hashes of packages; a secret in them would have to be put there by a package manager."""
PUBLIC = {
    "local.settings.json.example",  # the emulators' own public keys; test_settings_papers compares them
}
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Public, the same in every storage emulator: https://learn.microsoft.com/azure/storage/common/storage-use-azurite."""


def main() -> int:
    """Print where something looks like a secret; return 0 when nothing does."""
    suspects = scan_all(tracked())
    for suspect in suspects:
        sys.stdout.write(f"{suspect}\n")
    return 1 if suspects else 0


def tracked() -> Sequence[str]:
    """Return every file that git knows; in an unpacked archive there is no git, and nothing to commit."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=paths.ROOT, capture_output=True, check=False, text=True)  # noqa: S607 -- a developer's git
    return [name for name in listed.stdout.split("\0") if name]


def scan_all(names: Sequence[str]) -> list[str]:
    """Return where one of *names* seems to hold a secret, by the rules for the place it is in."""
    tests = [name for name in names if name.startswith("tests/")]
    rest = [name for name in names if name not in tests and name not in GENERATED | PUBLIC]
    worded = [name for name in rest if name.endswith((".php", "details.json"))]
    return [
        *scan([name for name in rest if name not in worded]),
        # It takes the code of an error, 'secret_short', and the translation of a sentence about keys, for a secret.
        *scan(worded, without={"KeywordDetector"}),
        *scan(tests, without=LOOKALIKES),
    ]


def scan(names: Sequence[str], *, without: Collection[str] = (), root: Path = paths.ROOT) -> list[str]:
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


if __name__ == "__main__":
    sys.exit(main())
