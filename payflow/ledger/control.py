"""
The switch that holds every company at once: for a deployment, so that no mail is cut while it is being sent.

It is a row beside the identity, with nothing sealed in it: it needs no key, so a deployment can set it that may read no
secret. No row means that nothing is held. A company's own pause is another thing, and stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from foundation.clock import UnixMs
from foundation.errors import ConfigurationError
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.codec import Codec, Record, number, text
from foundation.tablestore.ports import UNSTORED, Rows, Version
from payflow.ledger import identity

ROW: Final = "control"


@dataclass(frozen=True, kw_only=True, slots=True)
class Control:
    """The row."""

    held_ms: UnixMs = UnixMs(0)
    """Since when every company is held; 0: none is."""
    by: str = ""
    version: Version = field(default=UNSTORED, compare=False, repr=False)


CONTROLS: Final = Codec([Record(Control, (number("held_ms"), text("by")))])


async def read_control(rows: Rows) -> Control:
    """Return how the switch is."""
    row = await rows.get(ROW)
    return CONTROLS.decode(Control, row) if row else Control()


async def write(rows: Rows, control: Control) -> None:
    """
    Store *control*, changed from what ``read`` returned.

    Raises:
        Contention: Somebody has stored another one since it was read: whose hold it is must be looked at again.
        ConfigurationError: There is no ledger.
    """
    if await rows.get(identity.ROW) is None:
        raise ConfigurationError("the ledger has no identity: run `init` first")
    group = AtomicWrite()
    group.put(ROW, CONTROLS.encode(control), control.version)
    await commit(rows, group, marker_row=ROW)
