"""
Which transfers out of the reserve are payouts of ours, and which are somebody else's doing.

Pure. A payout is what an operator of ours asked of the authority in ``distribute``; whatever else
left the reserve is a stranger, and a person says what it was.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from distributor.ledger.archive import Payout
from distributor.model import Address, Hash
from distributor.payout.history import Distribution, Origin, Outflow, order_of


class Why(StrEnum):
    """Why an outflow is no plain payout of ours."""

    UNKNOWN_SENDER = "unknown_sender"
    """A ``distribute`` call on our authority, by nobody we know as an operator."""
    NO_DISTRIBUTION = "no_distribution"
    """No ``distribute`` call on our authority."""
    NOT_AS_ASKED = "not_as_asked"
    """Our operator's call, but another wallet or amount than it asked for."""
    MORE_THAN_ASKED = "more_than_asked"
    """Beside the transfer that our operator's call asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stranger:
    """An outflow that a person must explain."""

    outflow: Outflow
    sender: Address
    why: Why


@dataclass(frozen=True, kw_only=True, slots=True)
class Sorted:
    """Outflows of some blocks, told apart."""

    payouts: Sequence[Payout]
    strangers: Sequence[Stranger]


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What tells our own doing from others'."""

    authority: Address
    operators: Collection[Address]
    accepted: Collection[Hash] = ()
    """Transactions whose strangers a person has explained."""


def sort(outflows: Sequence[Outflow], origins: Mapping[Hash, Origin], known: Known) -> Sorted:
    """Return the payouts among *outflows*, and the strangers that nobody has accepted yet."""
    payouts: list[Payout] = []
    strangers: list[Stranger] = []
    for tx_hash, moved in groupby(outflows, lambda outflow: outflow.tx_hash):
        found = _sort_one(list(moved), origins[tx_hash], known)
        payouts += found.payouts
        strangers += [] if tx_hash in known.accepted else found.strangers
    return Sorted(payouts=payouts, strangers=strangers)


def _sort_one(moved: Sequence[Outflow], origin: Origin, known: Known) -> Sorted:
    """
    Sort what one transaction moved.

    A call of ours that moved something else than it asked for still spends its reference: the order
    must not be paid once more because its first payout was wrong.
    """
    asked = origin.distribution
    if asked is None or origin.to != known.authority:
        return Sorted(payouts=(), strangers=list(_strangers(moved, origin, Why.NO_DISTRIBUTION)))
    if origin.sender not in known.operators:
        return Sorted(payouts=(), strangers=list(_strangers(moved, origin, Why.UNKNOWN_SENDER)))
    exact = next((one for one in moved if _is_as_asked(one, asked)), None)
    proof = exact or moved[0]
    others = [one for one in moved if one is not exact]
    why = Why.MORE_THAN_ASKED if exact else Why.NOT_AS_ASKED
    return Sorted(payouts=[_payout(proof, asked, origin)], strangers=list(_strangers(others, origin, why)))


def _strangers(moved: Sequence[Outflow], origin: Origin, why: Why) -> Iterator[Stranger]:
    for outflow in moved:
        yield Stranger(outflow=outflow, sender=origin.sender, why=why)


def _is_as_asked(outflow: Outflow, asked: Distribution) -> bool:
    return (outflow.wallet, outflow.amount_units) == (asked.wallet, asked.amount_units)


def _payout(proof: Outflow, asked: Distribution, origin: Origin) -> Payout:
    return Payout(
        ref_id=asked.ref_id,
        key=order_of(asked.ref_id),
        wallet=proof.wallet,
        amount_units=proof.amount_units,
        reason=asked.reason,
        operator=origin.sender,
        nonce=origin.nonce,
        tx_hash=proof.tx_hash,
        block_number=proof.block.number,
    )
