"""
Whose ledger this is: one row, made by `init`. Missing, or unlike the settings: nothing is looked for or sent.

It holds the key of the blind index, made once and sealed: with another one no receipt would be found again, and each
would be created anew.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from foundation.errors import ConfigurationError, Contention
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.codec import Codec, Column, FieldKind, Record, text
from foundation.tablestore.ports import UNSTORED, Row, Rows, Value
from payflow.ledger import schema
from payflow.sealing import BlindIndex, Sealer

ROW = "identity"
_COLUMN = "index_key"


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """The row."""

    ledger_id: str
    environment: str
    redirect_uri: str
    index_key: str = field(repr=False)
    """Hex. Sealed in the row."""

    @property
    def index(self) -> BlindIndex:
        return BlindIndex(bytes.fromhex(self.index_key))


def _codec(sealer: Sealer) -> Codec:
    sealed = FieldKind(
        str, lambda value: sealer.seal("", _COLUMN, value), lambda stored: sealer.open("", _COLUMN, stored)
    )
    columns = (text("ledger_id"), text("environment"), text("redirect_uri"), Column(_COLUMN, sealed, _COLUMN))
    return Codec([Record(Identity, columns)])


async def create(rows: Rows, sealer: Sealer, *, environment: str, redirect_uri: str) -> Identity:
    """
    Store a new identity, and the level of the rows to come.

    Raises ConfigurationError if there is one: a ledger is never made twice.
    """
    made = Identity(
        ledger_id=uuid4().hex, environment=environment, redirect_uri=redirect_uri, index_key=secrets.token_hex(32)
    )
    write = AtomicWrite()
    write.insert(ROW, _codec(sealer).encode(made))
    write.insert(schema.ROW, schema.SCHEMAS.encode(schema.Schema(level=schema.LEVEL)))
    try:
        await commit(rows, write, marker_row=ROW)
    except Contention:
        raise ConfigurationError("this ledger has an identity already; it is never made anew") from None
    return made


async def put_back(
    rows: Rows, sealer: Sealer, values: Mapping[str, Value], *, environment: str, redirect_uri: str
) -> None:
    """
    Store the identity of a lost ledger as its backup has it; nothing is done where there is one.

    Raises ConfigurationError, before anything is written, if it is another installation's.
    """
    if await rows.get(ROW) is None:
        _checked(sealer, Row(key=ROW, values=values, version=UNSTORED), environment, redirect_uri)
        write = AtomicWrite()
        write.insert(ROW, values)
        await commit(rows, write, marker_row=ROW)


async def load_identity(rows: Rows, sealer: Sealer, *, environment: str, redirect_uri: str) -> Identity:
    """Return the identity. Raises ConfigurationError if it is missing, or another installation's."""
    row = await rows.get(ROW)
    if row is None:
        raise ConfigurationError("the ledger has no identity: `init` makes a new one, a lost ledger is restored")
    return _checked(sealer, row, environment, redirect_uri)


def _checked(sealer: Sealer, row: Row, environment: str, redirect_uri: str) -> Identity:
    found = _codec(sealer).decode(Identity, row)
    if found.environment != environment:
        raise ConfigurationError(f"ENVIRONMENT is {environment}, and the ledger is of {found.environment}")
    if found.redirect_uri != redirect_uri:
        raise ConfigurationError(f"CONTA_AZUL_REDIRECT_URI is not the ledger's, which is {found.redirect_uri}")
    return found
