"""
The reserve's past by an explorer's export, where no node gives the logs of it.

Providers limit how many blocks one look at the logs may span, some to ten: three years of Polygon are then ten million
requests. An explorer lists the transactions; of its file only their hashes are believed. What each of them moved is
read from its receipt, and what is missing from the file shows in the reserve's balance (``completeness``). But a file
that begins where the reserve was empty adds up too, and however many nodes show its receipts, it is one list.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from distributor.addresses import ZERO_ADDRESS
from distributor.model import Hash
from distributor.payout.history import Arrival, History, ReserveTransfer, TransactionDetails
from distributor.units import TokenUnits
from foundation.errors import ServiceError

_HASH = re.compile(r"0x[0-9a-fA-F]{64}")


class NotAnExport(ServiceError):
    """A line of the file names no transaction."""


class ReceiptHistory(History, Protocol):
    """The past of the chain, also by single transactions."""

    async def moves_of(self, hashes: Sequence[Hash]) -> tuple[Sequence[ReserveTransfer], Sequence[Arrival]]:
        """
        Return what these transactions moved out of the reserve and to it, in the order of the chain.

        Raises:
            NoSuchTransaction: The nodes have no receipt of one of them.
            ChainUnavailable: Too few nodes answer, or they disagree.
        """


def read_export(text: str) -> Sequence[Hash]:
    """
    Return the transactions that a CSV file names, each once: in each line the first cell that is a hash.

    The first line may be a header.

    Raises:
        NotAnExport: Another line has no hash in it, or the file has none at all.
    """
    found: dict[Hash, None] = {}
    for number, cells in enumerate(csv.reader(text.removeprefix("\ufeff").splitlines()), start=1):
        hashes = [cell.strip() for cell in cells if _HASH.fullmatch(cell.strip())]
        if hashes:
            found[Hash(hashes[0].lower())] = None
        elif number > 1 and any(cell.strip() for cell in cells):
            raise NotAnExport(f"line {number} names no transaction")
    if not found:
        raise NotAnExport("the file names no transaction")
    return list(found)


@dataclass(slots=True)
class ExportedHistory:
    """The ``History`` port on the transactions of an export, each asked about once."""

    chain: ReceiptHistory
    hashes: Sequence[Hash]
    _moves: tuple[Sequence[ReserveTransfer], Sequence[Arrival]] | None = field(default=None, init=False)

    def listed_by(self, providers: int) -> int:
        """Say one: the nodes confirm what the file lists, and are never asked what it leaves out."""
        return min(providers, 1)

    async def reserve_transfers(self, first_block: int, last_block: int) -> Sequence[ReserveTransfer]:
        transfers, _ = await self._moved()
        return [each for each in transfers if first_block <= each.block.number <= last_block]

    async def reserve_arrivals(self, first_block: int, last_block: int) -> Sequence[Arrival]:
        _, arrivals = await self._moved()
        return [each for each in arrivals if first_block <= each.block.number <= last_block]

    async def reserve_balance(self, block: int) -> TokenUnits:
        return await self.chain.reserve_balance(block)

    async def minted(self, first_block: int, last_block: int) -> int:
        """Count what the file shows, which is the reserve's: too little where others were given the first tokens."""
        made = [each for each in await self.reserve_arrivals(first_block, last_block) if each.minted]
        left = await self.reserve_transfers(first_block, last_block)
        destroyed = [each for each in left if each.wallet == ZERO_ADDRESS]
        return sum(each.amount_units for each in made) - sum(each.amount_units for each in destroyed)

    async def supply(self, block: int) -> int | None:
        return await self.chain.supply(block)

    async def transaction_details(self, hashes: Sequence[Hash]) -> Mapping[Hash, TransactionDetails]:
        return await self.chain.transaction_details(hashes)

    async def _moved(self) -> tuple[Sequence[ReserveTransfer], Sequence[Arrival]]:
        if self._moves is None:
            self._moves = await self.chain.moves_of(self.hashes)
        return self._moves
