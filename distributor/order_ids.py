"""How an order is named: by its shop, and on chain."""

from __future__ import annotations

import re

from distributor.addresses import keccak256
from distributor.model import DEFAULT_SOURCE, Hash

REF_ID_BYTES = 32
SOURCE = re.compile(r"[a-z0-9-]{1,16}")
"""The name of a shop."""
ORDER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def ref_id(source: str, order_id: str) -> Hash:
    """Return the order's bytes32 on chain: its name in ASCII, readable in an explorer, or its hash when too long."""
    name = (order_id if source == DEFAULT_SOURCE else f"{source}:{order_id}").encode("ascii")
    padded = name.ljust(REF_ID_BYTES, b"\0") if len(name) <= REF_ID_BYTES else keccak256(name)
    return Hash("0x" + padded.hex())
