"""
What the chain remembers of the reserve: the tokens that left it, and the transactions that moved them.

Only the operator's commands read it; no payment depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from distributor.chain_types import Block, ChainSnapshot, GuardEvent
from distributor.errors import ChainUnavailable
from distributor.ledger.rebuild_store import Payout
from distributor.model import DEFAULT_SOURCE, Address, Hash, OrderKey
from distributor.order_ids import ORDER_ID, SOURCE, ref_id
from distributor.payout.weighing import ENOUGH
from distributor.payout.witnesses import by_provider, provider_of
from distributor.ports import Chain
from distributor.settings.chain import SettlementSettings
from distributor.units import TokenUnits


@dataclass(frozen=True, kw_only=True, slots=True)
class ReserveTransfer:
    """A ``Transfer`` of the token out of the reserve, made by anybody."""

    tx_hash: Hash
    block: Block
    log_index: int
    wallet: Address
    amount_units: TokenUnits


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """A ``Transfer`` of the token to the reserve; the token's creation is one from the zero address."""

    block: Block
    log_index: int
    amount_units: TokenUnits
    minted: bool = False
    """Whether it came from the zero address."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DistributeCall:
    """What one ``distribute`` call asks of the authority."""

    wallet: Address
    amount_units: TokenUnits
    ref_id: Hash
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TransactionDetails:
    """Who made a transaction, and what it asked for."""

    tx_hash: Hash
    sender: Address
    nonce: int
    to: Address | None
    """None for the creation of a contract."""
    distribution: DistributeCall | None
    """None when its call data are no ``distribute`` call."""
    guarded: bool = False
    """Whether it pays through a guard; then the events say what it paid, since any of its items may have failed."""
    guard_events: tuple[GuardEvent, ...] = ()


class History(Protocol):
    """The past of the chain. All raise ChainUnavailable; never is silence taken for an empty past."""

    def listed_by(self, providers: int) -> int:
        """Return by how many what moved is listed, each by itself, where so many *providers* are configured."""

    async def reserve_transfers(self, first_block: int, last_block: int) -> Sequence[ReserveTransfer]:
        """Return every transfer out of the reserve in these blocks, both included, in the order of the chain."""

    async def reserve_arrivals(self, first_block: int, last_block: int) -> Sequence[Arrival]:
        """Return every transfer to the reserve in these blocks, both included, in the order of the chain."""

    async def reserve_balance(self, block: int) -> TokenUnits:
        """Return what the reserve held at the end of *block*, as every node that is asked has it."""

    async def minted(self, first_block: int, last_block: int) -> int:
        """Return how many units the token made in these blocks, both included, less what it destroyed."""

    async def supply(self, block: int) -> int | None:
        """Return how many units of the token there were at the end of *block*; None where it does not tell."""

    async def transaction_details(self, hashes: Sequence[Hash]) -> Mapping[Hash, TransactionDetails]:
        """Return who made each of these mined transactions; ChainUnavailable when one is unknown."""


class Pools(Protocol):
    """The nodes' pools, as far as two counts tell."""

    async def nonces(self, address: Address) -> Sequence[tuple[int, int]]:
        """Return, of every node that answers, how many transactions are in blocks, and with those in its pool."""


async def newest_final(chain: Chain, policy: SettlementSettings) -> int:
    """Return the newest block that is final by *policy*. Raises ChainUnavailable if the node knows of none."""
    last = last_final(await chain.snapshot([], [], []), policy)
    if last is None:
        raise ChainUnavailable("the node knows of no final block")
    return last


async def agreed_final(chain: Chain, policy: SettlementSettings) -> int:
    """
    Return the newest block that two providers show as final, each by its own word; one where one is configured.

    Raises:
        ChainUnavailable: Too few nodes know of a final block.
    """
    shown = dict[str, int]()
    for node in chain.nodes:
        with suppress(ChainUnavailable):
            last = last_final(await chain.snapshot([], [], [], node=node), policy)
            provider = provider_of(node)
            shown |= {provider: max(last, shown.get(provider, 0))} if last is not None else {}
    needed = min(ENOUGH, len(by_provider(chain.nodes)))
    if len(shown) < needed:
        raise ChainUnavailable("too few nodes know of a final block")
    return sorted(shown.values())[-needed]


def last_final(snapshot: ChainSnapshot, policy: SettlementSettings) -> int | None:
    """Return the newest block that is final by *policy*; None while the node knows of none."""
    if policy.finality_depth is not None:
        number = snapshot.head.number - max(policy.finality_depth, policy.min_confirmations)
    elif snapshot.finalized_number is not None:
        number = min(snapshot.finalized_number, snapshot.head.number - policy.min_confirmations)
    else:
        return None
    return number if number >= 0 else None


def order_of(ref: Hash) -> OrderKey | None:
    """Return the order a reference names; None for the hash of a name that was too long."""
    text = bytes.fromhex(ref[2:]).rstrip(b"\0").decode("ascii", errors="replace")
    source, colon, order_id = text.rpartition(":")
    key = OrderKey(source if colon else DEFAULT_SOURCE, order_id)
    possible = SOURCE.fullmatch(key.source) and ORDER_ID.fullmatch(key.order_id)
    return key if possible and ref_id(*key) == ref else None


def payout_of(
    details: TransactionDetails, asked: DistributeCall, moved: tuple[Address, TokenUnits], *, tx_hash: Hash, block: int
) -> Payout:
    """Return the order that *details* asked to pay, by what *moved* in that block: to which wallet, and how much."""
    wallet, amount_units = moved
    return Payout(
        ref_id=asked.ref_id,
        key=order_of(asked.ref_id),
        wallet=wallet,
        amount_units=amount_units,
        reason=asked.reason,
        operator=details.sender,
        nonce=details.nonce,
        tx_hash=tx_hash,
        block_number=block,
    )
