"""How an order is named: by its shop, and on chain."""

from __future__ import annotations

import re

from distributor.addresses import keccak256
from distributor.model import DEFAULT_SOURCE, Hash, OrderKey

REF_ID_BYTES = 32
SOURCE = re.compile(r"[a-z0-9-]{1,16}")
"""The name of a shop."""
ORDER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def can_be_an_order(key: OrderKey) -> bool:
    """Tell names an order can have from what a caller made up, which a table may not even take as a key."""
    return bool(SOURCE.fullmatch(key.source) and ORDER_ID.fullmatch(key.order_id))


def ref_id(source: str, order_id: str) -> Hash:
    """Return the order's bytes32 on chain: its name in ASCII, readable in an explorer, or its hash when too long."""
    name = (order_id if source == DEFAULT_SOURCE else f"{source}:{order_id}").encode("ascii")
    padded = name.ljust(REF_ID_BYTES, b"\0") if len(name) <= REF_ID_BYTES else keccak256(name)
    return Hash("0x" + padded.hex())
