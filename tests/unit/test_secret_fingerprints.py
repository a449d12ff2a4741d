"""A fingerprint costs 50 ms and 16 MiB: each is computed once."""

from __future__ import annotations

import asyncio

from distributor.ledger import secret_fingerprints
from distributor.ledger.secret_fingerprints import SecretFingerprints


async def test_two_requests_at_once_compute_one_fingerprint() -> None:
    """The second waits for the first, and finds its answer."""
    asked: list[bytes] = []

    async def salt() -> bytes:
        asked.append(b"salt of this ledger")
        await asyncio.sleep(0)
        return asked[-1]

    fingerprints = SecretFingerprints(salt=salt)

    first, second = await asyncio.gather(fingerprints.of("a secret"), fingerprints.of("a secret"))

    assert first == second == secret_fingerprints.fingerprint("a secret", b"salt of this ledger")
    assert len(asked) == 1
