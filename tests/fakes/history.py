"""The past of the fake chain, behind the ``History`` port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from distributor.chain.call_details import read_distribution
from distributor.errors import ChainUnavailable, NoSuchTransaction
from distributor.model import Address, Hash
from distributor.payout.guard_calls import is_guarded
from distributor.payout.history import Arrival, ReserveTransfer, TransactionDetails
from distributor.units import TokenUnits
from tests.fakes.chain import RESERVE, FakeChain

FILLED = Hash("0x" + "f1" * 32)
"""The transaction that filled the reserve of a fake chain."""


class FakeHistory:
    """Reads the blocks of a fake chain; ``asked`` holds every range it was asked for."""

    def __init__(self, chain: FakeChain) -> None:
        self._chain = chain
        self.asked: list[tuple[int, int]] = []
        self.down_from: int | None = None
        """A block that no answer comes about, nor of any later one."""
        self.forgets = False
        """Whether the node has pruned its logs, and answers with nothing."""
        self.receipts_asked = 0
        self.supply_before = 0
        """Units that were made before anything that it shows."""

    def listed_by(self, providers: int) -> int:
        return providers

    async def reserve_transfers(self, first_block: int, last_block: int) -> Sequence[ReserveTransfer]:
        self.asked.append((first_block, last_block))
        if self.down_from is not None and last_block >= self.down_from:
            raise ChainUnavailable
        return (
            []
            if self.forgets
            else [
                ReserveTransfer(
                    tx_hash=receipt.tx_hash,
                    block=receipt.block,
                    log_index=transfer.log_index,
                    wallet=transfer.recipient,
                    amount_units=transfer.amount_units,
                )
                for receipt in self._chain.receipts
                for transfer in receipt.transfers
                if first_block <= receipt.block.number <= last_block and transfer.sender == RESERVE
            ]
        )

    async def reserve_arrivals(self, first_block: int, last_block: int) -> Sequence[Arrival]:
        """The reserve of a fake chain is filled in its first block, and whenever a test says so."""
        if first_block > 0 or last_block < 0 or self.forgets:
            return []
        place, held = self._chain._blocks[0].place, self._chain._state.tokens[RESERVE]
        left = sum(each.amount_units for receipt in self._chain.receipts for each in receipt.transfers)
        return [Arrival(block=place, log_index=0, amount_units=TokenUnits(held + left), minted=True)]

    async def moves_of(self, hashes: Sequence[Hash]) -> tuple[Sequence[ReserveTransfer], Sequence[Arrival]]:
        """Read receipts, which a node that has pruned its logs still has; ``FILLED`` filled the reserve."""
        self.receipts_asked += len(hashes)
        mined = {receipt.tx_hash for receipt in self._chain.receipts}
        if not set(hashes) <= mined | {FILLED}:
            raise NoSuchTransaction
        forgets, self.forgets = self.forgets, False
        last = self._chain.head.number
        transfers = [each for each in await self.reserve_transfers(0, last) if each.tx_hash in hashes]
        arrivals = await self.reserve_arrivals(0, last) if FILLED in hashes else []
        self.forgets = forgets
        return transfers, arrivals

    async def minted(self, first_block: int, last_block: int) -> int:
        """All of it was made in the first block, for the reserve."""
        return sum(each.amount_units for each in await self.reserve_arrivals(first_block, last_block))

    async def supply(self, block: int) -> int | None:
        """Nothing was ever destroyed."""
        return self.supply_before + sum(self._chain._blocks[block].state.tokens.values())

    async def reserve_balance(self, block: int) -> TokenUnits:
        return TokenUnits(self._chain._blocks[block].state.tokens[RESERVE])

    async def transaction_details(self, hashes: Sequence[Hash]) -> Mapping[Hash, TransactionDetails]:
        mined = {sent.tx_hash: sent for block in self._chain._blocks for sent in block.sent}
        if not set(hashes) <= mined.keys():
            raise NoSuchTransaction  # as the real one where no node knows it
        events = {receipt.tx_hash: receipt.guard_events for receipt in self._chain.receipts}
        return {
            tx_hash: TransactionDetails(
                tx_hash=tx_hash,
                sender=mined[tx_hash].sender,
                nonce=mined[tx_hash].unsigned.nonce,
                to=mined[tx_hash].unsigned.call.to,
                distribution=read_distribution(mined[tx_hash].unsigned.call.data),
                guarded=is_guarded(mined[tx_hash].unsigned.call.data),
                guard_events=events[tx_hash],
            )
            for tx_hash in hashes
        }


class FakePools:
    """The pool of a fake chain, as two counts; ``silent`` when no node answers."""

    def __init__(self, chain: FakeChain) -> None:
        self._chain = chain
        self.silent = False

    async def nonces(self, address: Address) -> Sequence[tuple[int, int]]:
        latest = self._chain._state.nonces.get(address, 0)
        pooled = [sent for sent in self._chain.pooled if sent.sender == address]
        return [] if self.silent else [(latest, latest + len(pooled))]
