"""The journal of erasures names nobody, and finds the subject again; an entry that is torn stops its reader."""

from __future__ import annotations

import json

import pytest

from foundation.clock import UnixMs
from foundation.errors import InvariantBroken
from foundation.purge_journal import PurgeJournal
from tests.fakes.blobs import MemoryBlobs

NAMES = {"ana", "bia"}


async def test_an_entry_names_nobody_and_finds_its_subject() -> None:
    """Each has a salt of its own, so two entries of one subject look different; other ledgers' are not read."""
    store = MemoryBlobs()
    journal = PurgeJournal(store, "1/")
    await journal.write("wallet", "ana", by="op", at_ms=UnixMs(5))
    await journal.write("wallet", "ana", by="op", at_ms=UnixMs(9))
    await PurgeJournal(store, "2/").write("wallet", "bia", by="op", at_ms=UnixMs(1))

    first, second = await journal.entries()

    assert (first.at_ms, second.at_ms, first.by) == (5, 9, "op")
    assert first.digest != second.digest
    assert first.among("wallet", NAMES) == {"ana"}
    assert not first.among("order", NAMES)
    assert "ana" not in str(store.blobs)


@pytest.mark.parametrize("body", [b"", b"no json", b"{}", json.dumps({"kind": "wallet", "salt": "x"}).encode()])
async def test_a_torn_entry_is_named(body: bytes) -> None:
    """One that is passed over would bring a person's data back for good."""
    store = MemoryBlobs()
    store.blobs["1/5-x.json"] = body

    with pytest.raises(InvariantBroken, match=r"1/5-x\.json"):
        await PurgeJournal(store, "1/").entries()
