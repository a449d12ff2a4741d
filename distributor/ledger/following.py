"""How what became of bound transactions is kept: what a node showed, and how they ended, several in a group."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from distributor.ledger import keys, queries
from distributor.ledger.closing import Closing, Ending, check_unchanged
from distributor.ledger.columns import encode
from distributor.ledger.ending import close_transactions
from distributor.ledger.order_index import index_payments
from distributor.model import Transaction, TransactionStatus
from foundation.clock import Clock
from foundation.errors import Contention, require
from foundation.tablestore.atomic import ROWS_MAX, AtomicWrite, commit, in_groups, together_or_each
from foundation.tablestore.ports import Rows

CLOSE_TRIES_MAX = 5
"""A closing shares the totals with every binding and reads them anew in each try."""


async def update_all(rows: Rows, transactions: Sequence[Transaction]) -> Sequence[bool]:
    """
    Keep what became of open transactions, in one group; return which were kept, True or False for each.

    Where another worker wrote one of them since, the others are kept one by one.
    """
    kept = list[bool]()
    for group in in_groups(transactions, lambda group: len(group) <= ROWS_MAX):
        update = partial(_update_group, rows)
        kept += await together_or_each(update, group, (Contention,), lambda _, __: [False])
    return kept


async def _update_group(rows: Rows, transactions: Sequence[Transaction]) -> Sequence[bool]:
    """Keep them, or raise Contention: none was kept then."""
    require(all(each.status is not TransactionStatus.FINAL for each in transactions), "only a closing ends one")
    group = AtomicWrite()
    for each in transactions:
        group.replace(keys.transaction(each.operator, each.nonce), encode(each), each.version)
    await commit(rows, group, marker_row=group.writes[0].key)
    return [True] * len(transactions)


async def close_all(rows: Rows, ends: Sequence[tuple[Transaction, Closing]], clock: Clock) -> Sequence[Ending]:
    """
    End transactions of one operator in one group; return those that this call ended.

    Raises:
        Contention: Another worker has written one of them since it was read; none is ended.
        InvariantBroken: One was closed before by another receipt, or the orders are not its own.
    """
    for _ in range(CLOSE_TRIES_MAX):
        now = clock()
        endings, totals, stored = await queries.endings(rows, ends, now)
        due = [ending for ending, row in zip(endings, stored, strict=True) if not _is_closed(ending, row)]
        if not due:
            return []
        group = close_transactions(due, totals, now)
        for ending in due:
            await index_payments(rows, group, ending.closing.paid_elsewhere)
        try:
            await commit(rows, group, marker_row=_row_of(due[0].transaction))
        except Contention:
            continue  # a binding changed the totals, or another settler was first: the next look tells
        return due
    raise Contention(f"the totals kept changing while {_row_of(ends[0][0])} was closed")


def _row_of(transaction: Transaction) -> str:
    return keys.transaction(transaction.operator, transaction.nonce)


def _is_closed(ending: Ending, stored: Transaction) -> bool:
    """Say whether *ending* is done already. Raises Contention and InvariantBroken, as ``close`` does."""
    if stored.status is TransactionStatus.FINAL:
        check_unchanged(stored, ending.closing)
        return True
    if stored.version != ending.transaction.version:
        raise Contention(f"another worker has written {_row_of(stored)} since")
    return False
