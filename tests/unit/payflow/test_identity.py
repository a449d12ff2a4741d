"""A ledger belongs to one installation, and its index key is made once."""

from __future__ import annotations

import pytest

from foundation.errors import ConfigurationError, InvariantBroken
from foundation.tablestore.memory import MemoryRows
from payflow.ledger import identity
from payflow.sealing import Sealer, new_key

URI = "https://payflow.example/oauth/callback"
SEALER = Sealer.of(new_key())


async def made(rows: MemoryRows) -> identity.Identity:
    """Make the identity of a ledger."""
    return await identity.create(rows, SEALER, environment="staging", redirect_uri=URI)


async def test_an_identity_is_made_once() -> None:
    """A second one would find no receipt again."""
    rows = MemoryRows()
    first = await made(rows)

    with pytest.raises(ConfigurationError, match="already"):
        await made(rows)
    again = await identity.load_identity(rows, SEALER, environment="staging", redirect_uri=URI)

    assert again == first
    assert again.index.of("x") == first.index.of("x")


@pytest.mark.parametrize(
    ("environment", "uri", "named"),
    [("production", URI, "ENVIRONMENT"), ("staging", "https://other.example/x", "CONTA_AZUL_REDIRECT_URI")],
)
async def test_a_foreign_ledger_is_refused(environment: str, uri: str, named: str) -> None:
    """Staging must never work on production's rows."""
    rows = MemoryRows()
    await made(rows)

    with pytest.raises(ConfigurationError, match=named):
        await identity.load_identity(rows, SEALER, environment=environment, redirect_uri=uri)


async def test_a_missing_identity_stops_everything() -> None:
    """An empty table may be a lost one."""
    with pytest.raises(ConfigurationError, match="no identity"):
        await identity.load_identity(MemoryRows(), SEALER, environment="staging", redirect_uri=URI)


async def test_the_index_key_is_sealed() -> None:
    """And shown nowhere."""
    rows = MemoryRows()
    found = await made(rows)

    assert found.index_key not in str(rows.dump())
    assert found.index_key not in repr(found)


async def test_the_identity_of_another_installation_is_not_put_back() -> None:
    """An empty ledger would always be another one's: an identity is never made anew."""
    rows, lost = MemoryRows(), MemoryRows()
    first = await made(rows)
    values = rows.dump()[identity.ROW]

    with pytest.raises(ConfigurationError, match="ENVIRONMENT"):
        await identity.put_back(lost, SEALER, values, environment="production", redirect_uri=URI)
    with pytest.raises(ConfigurationError, match="needs the key"):
        await identity.put_back(lost, Sealer.of(new_key()), values, environment="staging", redirect_uri=URI)
    with pytest.raises(InvariantBroken):
        await identity.put_back(lost, SEALER, {}, environment="staging", redirect_uri=URI)
    assert not lost.dump()

    for _ in range(2):
        await identity.put_back(lost, SEALER, values, environment="staging", redirect_uri=URI)
    assert await identity.load_identity(lost, SEALER, environment="staging", redirect_uri=URI) == first
