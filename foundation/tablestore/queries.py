"""What is read from a partition: one value, many values, all rows of a prefix. Nothing raises because there is much."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TypeVar

from foundation.errors import InvariantBroken
from foundation.tablestore.codec import Codec
from foundation.tablestore.ports import Row, Rows

READS_AT_ONCE = 16
"""Row reads in flight together: enough to hide their latency, few enough to leave sockets for others."""
RANGE_KEYS_MIN = 4
"""From how many rows on a range is tried: it costs one request, and fewer rows are read side by side."""
RANGE_ROWS_A_KEY = 2
"""How many rows of a range are read at most for each that is wanted."""
PAGE_ROWS = 1_000
"""What Azure Tables returns at most in one answer."""

T = TypeVar("T")


async def find(rows: Rows, codec: Codec, kind: type[T], key: str) -> T | None:
    """Return the *kind* under *key*, or None."""
    row = await rows.get(key)
    return codec.decode(kind, row) if row else None


async def must_find(rows: Rows, codec: Codec, kind: type[T], key: str) -> T:
    """Return the *kind* under *key*. Raises InvariantBroken if a row that is never removed is gone."""
    found = await find(rows, codec, kind, key)
    if found is None:
        raise InvariantBroken(f"ledger row {key} is missing")
    return found


async def rows_at(rows: Rows, keys: Iterable[str]) -> Mapping[str, Row]:
    """
    Return the rows under *keys* that are there.

    Four or more are read in one range, as far as twice as many rows reach: what was stored together mostly lies
    together. What lies behind them is read row by row, a few at a time. Each row is as a read of its own would
    return it: a range is no snapshot either.
    """
    wanted = sorted(set(keys))
    found: dict[str, Row] = {}
    if len(wanted) >= RANGE_KEYS_MIN:
        limit = RANGE_ROWS_A_KEY * len(wanted)
        page = await rows.scan(wanted[0], behind(wanted[-1]), limit=limit)
        found = {row.key: row for row in page}
        read_to = page[-1].key if len(page) == limit else wanted[-1]
        found = {key: found[key] for key in wanted if key in found}
        wanted = [key for key in wanted if key > read_to]
    reading = asyncio.Semaphore(READS_AT_ONCE)

    async def one(key: str) -> Row | None:
        async with reading:
            return await rows.get(key)

    return found | {row.key: row for row in await asyncio.gather(*map(one, wanted)) if row is not None}


def rows_under(rows: Rows, prefix: str) -> AsyncIterator[Row]:
    """Yield every row whose key begins with *prefix*, in key order, page by page."""
    return rows_between(rows, prefix, past(prefix))


async def rows_between(rows: Rows, first: str, last: str) -> AsyncIterator[Row]:
    """Yield every row from *first* on and before *last*, in key order, page by page."""
    while True:
        page = await rows.scan(first, last, limit=PAGE_ROWS)
        for row in page:
            yield row
        if len(page) < PAGE_ROWS:
            return
        first = behind(page[-1].key)


def past(prefix: str) -> str:
    """Return the first text that sorts behind every key beginning with *prefix*."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def behind(key: str) -> str:
    """Return a text that sorts behind *key* and before every later key: no key holds a space."""
    return f"{key} "
