"""
How orders are found: which rows a filter reads, page by page, and what is compared with the order itself.

A filter chooses the narrowest rows there are for it: the hash, the beginning of an id, what is held or in flight, the
wallet, what waits, the shop, else the time. The rest of the filter is compared with each order, of at most
``EXAMINED_MAX`` rows a page: where few of many orders fit, a page may be short, and its cursor goes on from there.
So what a page reads has a bound, however many orders there are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from distributor.errors import MalformedQuery
from distributor.ledger import keys
from distributor.ledger.binding import MAX_ORDERS_PER_TRANSACTION
from distributor.ledger.opened import Unreadable
from distributor.ledger.order_index import index_stored, place_keys
from distributor.ledger.order_rows import (
    MINED,
    SUBMITTED,
    FoundOrder,
    OrdersOfRow,
    orders_carried,
    orders_named,
    orders_themselves,
    stored_order,
    with_status,
)
from distributor.model import Address, Order, OrderKey, OrderStatus
from foundation.clock import UnixMs
from foundation.tablestore.ports import Row, Rows
from foundation.tablestore.queries import behind, past

EXAMINED_MAX = 200
"""Orders that are compared with the filter for one page, and those of the last transaction."""
CARRIERS_MAX = -(-EXAMINED_MAX // MAX_ORDERS_PER_TRANSACTION)
"""Transactions whose orders are read at a time."""
COUNTED_MAX = 1_000
"""As far as orders are counted: one answer of a table."""
SHOPS_MAX = 64
"""Shops whose orders are looked through for the beginning of an id that names no shop."""

Range = tuple[str, str]
"""The first key, and the first one behind the last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderFilter:
    """What the orders have in common; an empty field says nothing."""

    status: str = ""
    """As it is shown: a bound order is ``submitted`` or ``mined``."""
    source: str = ""
    wallet: Address | None = None
    from_ms: UnixMs | None = None
    """Came then or later."""
    before_ms: UnixMs | None = None
    """Came before then."""
    id_prefix: str = ""
    hash_prefix: str = ""
    """``0x`` and lower-case digits: of a transaction that pays or paid the order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundOrders:
    """A page of orders; ``after`` goes into the next call, empty when there are no more."""

    orders: Sequence[FoundOrder]
    after: str
    unreadable: Sequence[Unreadable] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Way:
    """Which rows are read for a filter, and whether each of them is an order that fits without another look."""

    ranges: Sequence[Range]
    read: Callable[[Rows, Sequence[Row]], Awaitable[Sequence[OrdersOfRow]]]
    """Return the orders of each row, in the order of the rows."""
    exact: bool
    rows_max: int = EXAMINED_MAX
    """Rows that are read at a time."""


async def search_orders(rows: Rows, wanted: OrderFilter, *, limit: int, after: str) -> FoundOrders:
    """
    Return at most *limit* orders behind the row *after*; by a hash, or in flight, all of the last transaction as well.

    The newest comes first. Orders by the beginning of an id, and held ones, come by id; what waits, the oldest first.

    Raises:
        MalformedQuery: *after* is no place in what the filter reads.
    """
    way = await _way(rows, wanted)
    page: dict[OrderKey, FoundOrder] = {}
    torn: list[Unreadable] = []
    examined = 0
    async for chunk, more in _chunks(rows, _ranges_behind(way.ranges, after), limit, way.rows_max):
        for row, (readable, unreadable) in zip(
            chunk, await with_status(rows, await way.read(rows, chunk)), strict=True
        ):
            torn += unreadable
            page |= {each.order.key: each for each in readable if _fits(row, each, wanted)}
            examined += max(1, len(readable))
            if len(page) >= limit or examined >= EXAMINED_MAX:
                after = row.key if more or row.key != chunk[-1].key else ""
                return FoundOrders(orders=tuple(page.values()), after=after, unreadable=torn)
    return FoundOrders(orders=tuple(page.values()), after="", unreadable=torn)


async def _chunks(
    rows: Rows, ranges: Sequence[Range], size: int, size_max: int
) -> AsyncIterator[tuple[Sequence[Row], bool]]:
    """
    Yield the rows of *ranges*, and whether there may be more behind them.

    First *size* at a time, then twice as many each time up to *size_max*: where nothing fits, a page of one order
    would otherwise be read row by row, 400 requests one after the other.
    """
    for place, (first, last) in enumerate(ranges):
        at, more = first, True
        while more:
            size = min(size, size_max)
            read = await rows.scan(at, last, limit=size + 1)
            more = len(read) > size
            yield read[:size], more or place + 1 < len(ranges)
            at = behind(read[size - 1].key) if more else last
            size *= 2


async def count_orders(rows: Rows, wanted: OrderFilter, after: str) -> int | None:
    """Return how many orders there are behind the row *after*, counted up to ``COUNTED_MAX``; one request."""
    way = await _way(rows, wanted)
    ranges = _ranges_behind(way.ranges, after)
    if not way.exact or len(ranges) != 1:
        return None
    return len(await rows.scan(*ranges[0], limit=COUNTED_MAX))


async def index_from(rows: Rows, place: str, limit: int) -> tuple[str, int]:
    """Index the stored orders behind the row *place*; one that cannot be read is passed over, `verify` names it."""
    first = behind(place) if place else keys.ORDERS
    page = await rows.scan(first, past(keys.ORDERS), limit=limit)
    missing = await index_stored(rows, [each for each in map(stored_order, page) if isinstance(each, Order)])
    return (page[-1].key if len(page) == limit else ""), missing


# Which rows --------------------------------------------------------------------------------------


def reads_all_times(wanted: OrderFilter) -> bool:
    """Say whether the rows for *wanted* are the same whatever time it names, so that asking by day reads them daily."""
    in_flight = wanted.status in {MINED, SUBMITTED, OrderStatus.HELD}
    return bool(wanted.hash_prefix or wanted.id_prefix) or in_flight


async def _way(rows: Rows, wanted: OrderFilter) -> _Way:
    """Return the narrowest rows for *wanted*."""
    if wanted.hash_prefix:
        return _Way(
            ranges=[_under(f"{keys.HASHES}{wanted.hash_prefix}")],
            read=orders_carried,
            exact=False,
            rows_max=CARRIERS_MAX,
        )
    if wanted.id_prefix:
        sources = [wanted.source] if wanted.source else await _sources(rows)
        ranges = [_under(f"{keys.ORDERS}{source}:{wanted.id_prefix}") for source in sources]
        return _Way(ranges=ranges, read=orders_themselves, exact=_says_only(wanted, "id_prefix", "source"))
    if wanted.status in {MINED, SUBMITTED}:
        return _Way(ranges=[_under(keys.OPEN_TRANSACTIONS)], read=orders_carried, exact=False, rows_max=CARRIERS_MAX)
    if wanted.status == OrderStatus.HELD:
        prefix = f"{keys.HELD}{wanted.source}:" if wanted.source else keys.HELD
        return _Way(ranges=[_under(prefix)], read=orders_named, exact=_says_only(wanted, "status", "source"))
    return _by_time(wanted)


def _by_time(wanted: OrderFilter) -> _Way:
    if wanted.wallet is None and wanted.status == OrderStatus.RECEIVED:
        return _Way(
            ranges=[_line(wanted)], read=orders_named, exact=_says_only(wanted, "status", "from_ms", "before_ms")
        )
    prefix, field = _index(wanted)
    exact = _says_only(wanted, field, "from_ms", "before_ms")
    return _Way(ranges=[_times(prefix, wanted)], read=orders_named, exact=exact)


def _index(wanted: OrderFilter) -> tuple[str, str]:
    """Return what the keys of the narrowest index of times begin with, and the field it is chosen by."""
    if wanted.wallet is not None:
        return f"{keys.WALLET_TIMES}{wanted.wallet}:", "wallet"
    return (f"{keys.SHOP_TIMES}{wanted.source}:", "source") if wanted.source else (keys.TIMES, "")


def _times(prefix: str, wanted: OrderFilter) -> Range:
    """Return the rows of the time that *wanted* names, in an index that begins with *prefix* and the newest order."""
    first = f"{prefix}{keys.newest_first(wanted.before_ms - 1)}" if wanted.before_ms is not None else prefix
    last = f"{prefix}{keys.newest_first(wanted.from_ms - 1)}" if wanted.from_ms is not None else past(prefix)
    return first, last


def _line(wanted: OrderFilter) -> Range:
    """Return the rows of the orders that wait, which are there by the time itself: the oldest first."""
    first = f"{keys.OPEN_ORDERS}{wanted.from_ms:015d}" if wanted.from_ms is not None else keys.OPEN_ORDERS
    last = f"{keys.OPEN_ORDERS}{wanted.before_ms:015d}" if wanted.before_ms is not None else past(keys.OPEN_ORDERS)
    return first, last


def _says_only(wanted: OrderFilter, *names: str) -> bool:
    """Say whether *wanted* has nothing to compare but what its rows are chosen by."""
    fields = ("status", "source", "wallet", "from_ms", "before_ms", "id_prefix", "hash_prefix")
    return all(getattr(wanted, name) in ("", None) for name in fields if name not in names)


def _under(prefix: str) -> Range:
    return prefix, past(prefix)


async def _sources(rows: Rows) -> Sequence[str]:
    """Return the shops that have orders: one read each, whatever they have."""
    sources: list[str] = []
    first = keys.ORDERS
    while len(sources) < SHOPS_MAX and (page := await rows.scan(first, past(keys.ORDERS), limit=1)):
        sources.append(page[0].key.removeprefix(keys.ORDERS).partition(":")[0])
        first = past(f"{keys.ORDERS}{sources[-1]}:")
    return sources


def _ranges_behind(ranges: Sequence[Range], after: str) -> Sequence[Range]:
    """Return what is left of *ranges* behind the row *after*. Raises MalformedQuery where it is in none of them."""
    if not after:
        return ranges
    for place, (first, last) in enumerate(ranges):
        if first <= after < last:
            return [(behind(after), last), *ranges[place + 1 :]]
    raise MalformedQuery("The cursor belongs to another question: ask again without it.")


def _fits(row: Row, each: FoundOrder, wanted: OrderFilter) -> bool:
    """Compare an order with the filter, and with the row that named it: orders that changed places left rows behind."""
    order = each.order
    by_time = row.key.startswith((keys.TIMES, keys.SHOP_TIMES, keys.WALLET_TIMES))
    return (
        (not by_time or row.key in place_keys(order))
        and (not wanted.status or wanted.status == each.shown)
        and (not wanted.source or wanted.source == order.source)
        and (wanted.wallet is None or wanted.wallet == order.wallet)
        and (wanted.from_ms is None or wanted.from_ms <= order.received_ms)
        and (wanted.before_ms is None or order.received_ms < wanted.before_ms)
        and order.order_id.startswith(wanted.id_prefix)
    )
