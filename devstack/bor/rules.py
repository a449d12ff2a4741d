"""
The transaction pool of a Polygon node, where it is stricter than anvil's, in its own words. Pure.

A pool takes a transaction whose price is under the base fee and keeps it; a producer leaves it out.
It refuses nothing for its count: what an account has beyond its places is taken and dropped later,
without a word. Two transactions of one nonce: the second must offer 10 % more in both fields.

Sources, at https://github.com/0xPolygon/bor/blob/develop/ :
core/txpool/validation.go, core/txpool/errors.go, core/error.go (what is refused, order and texts),
core/txpool/legacypool/list.go (``Add``: the price of a replacement),
core/txpool/legacypool/legacypool.go (``DefaultConfig``, ``promoteExecutables``, ``truncatePending``,
``demoteUnexecutables``, ``reset``: limits, dropping, what a reorganisation puts back),
internal/ethapi/api.go (``checkTxFee``), params/protocol_params.go (tip floor, gas cap).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile

from devstack.bor.offer import Offer, Refused
from distributor.units import Wei

GWEI = 10**9
REMEMBERED = 128
"""Included transactions of one account that a reorganisation may still put back."""

_TX_GAS = 21_000
_ZERO_BYTE_GAS, _OTHER_BYTE_GAS = 4, 16
_CREATION_GAS = 32_000
_FLOOR_TOKEN_GAS, _TOKENS_PER_OTHER_BYTE = 10, 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What a pool asks; the defaults are Polygon's."""

    tip_floor_wei: Wei = Wei(25 * GWEI)
    bump_percent: int = 10
    account_slots: int = 16
    """Executable transactions an account is sure to keep."""
    account_queue: int = 64
    """Transactions behind a gap that an account may have."""
    crowded: bool = True
    """The whole pool is over its limit, so that an account keeps no more than its sure places."""
    fee_cap_wei: Wei = Wei(5 * 10**18)
    gas_cap: int = 2**25
    puts_back: bool = True
    """After a reorganisation, what was in the lost blocks is in the pool again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """What a pool asks of the chain about an account, at the head."""

    nonce: int
    balance_wei: int


class Pool:
    """The transactions a node holds that are in no block, one for each sender and nonce."""

    def __init__(self, rules: Rules, chain_id: int) -> None:
        self.rules = rules
        self.dropped: list[str] = []
        """Hashes of what was taken and then dropped without a word."""
        self._chain_id = chain_id
        self._held: dict[tuple[str, int], Offer] = {}
        self._included: dict[tuple[str, int], Offer] = {}

    def __iter__(self) -> Iterator[Offer]:
        """Yield what is held, by sender and nonce."""
        return iter([self._held[key] for key in sorted(self._held)])

    @property
    def senders(self) -> set[str]:
        """Every account the pool has to follow."""
        return {sender for sender, _ in (*self._held, *self._included)}

    def find(self, tx_hash: str) -> Offer | None:
        return next((offer for offer in self._held.values() if offer.tx_hash == tx_hash), None)

    def admit(self, offer: Offer, place: Place, block_gas_limit: int) -> None:
        """Take *offer*, in the node's order of checks. Raises Refused."""
        self._check_alone(offer, block_gas_limit)
        self._check_state(offer, place)
        rival = self._held.get((offer.sender, offer.nonce))
        if rival is not None and not _outbids(offer, rival, self.rules.bump_percent):
            raise Refused("replacement transaction underpriced")
        self._held[offer.sender, offer.nonce] = offer
        self._truncate(offer.sender, place)

    def follow(self, places: Mapping[str, Place]) -> None:
        """Look at a new head: forget what is included or cannot be paid for, put back what a lost block had."""
        for key, offer in list(self._held.items()):
            place = places[offer.sender]
            if offer.nonce < place.nonce:
                self._included[key] = self._held.pop(key)
            elif offer.cost_wei > place.balance_wei:
                self.dropped.append(self._held.pop(key).tx_hash)
        for key, offer in list(self._included.items()):
            place = places[offer.sender]
            if offer.nonce < place.nonce - REMEMBERED:
                del self._included[key]
            elif offer.nonce >= place.nonce:
                del self._included[key]
                if self.rules.puts_back:
                    self._held.setdefault(key, offer)

    def executable(self, sender: str, place: Place) -> list[Offer]:
        """Return what *sender* has without a gap from its next nonce on."""
        offers = {offer.nonce: offer for offer in self if offer.sender == sender}
        found = []
        for nonce in range(place.nonce, place.nonce + len(offers)):
            if nonce not in offers:
                break
            found.append(offers[nonce])
        return found

    def minable(self, sender: str, place: Place, base_fee_wei: int) -> list[Offer]:
        """Return what a producer takes of *sender*: in the order of nonces, up to the first that pays too little."""
        floor_wei = self.rules.tip_floor_wei
        return list(takewhile(lambda offer: offer.tip_at(base_fee_wei) >= floor_wei, self.executable(sender, place)))

    def drop(self, tx_hash: str) -> None:
        """Forget a transaction, as a node under pressure or restarted does."""
        self._held = {key: offer for key, offer in self._held.items() if offer.tx_hash != tx_hash}

    def clear(self) -> None:
        self._held.clear()

    # inside ------------------------------------------------------------------------------------

    def _check_alone(self, offer: Offer, block_gas_limit: int) -> None:
        """Check what needs no state, in the node's order; the fee cap is the RPC's, before the pool."""
        fee_wei, cap_wei = offer.gas_limit * offer.max_fee_wei, self.rules.fee_cap_wei
        if fee_wei > cap_wei:
            raise Refused(f"tx fee ({_ether(fee_wei)} ether) exceeds the configured cap ({_ether(cap_wei)} ether)")
        if offer.chain_id is None:
            raise Refused("only replay-protected (EIP-155) transactions allowed over RPC")
        if self.find(offer.tx_hash):
            raise Refused("already known")
        if offer.gas_limit > self.rules.gas_cap:
            raise Refused(f"transaction gas limit too high (cap: {self.rules.gas_cap}, tx: {offer.gas_limit})")
        if offer.gas_limit > block_gas_limit:
            raise Refused("exceeds block gas limit")
        if offer.tip_wei > offer.max_fee_wei:
            raise Refused("max priority fee per gas higher than max fee per gas")
        if offer.chain_id != self._chain_id:
            raise Refused(f"invalid sender: invalid chain id for signer: have {offer.chain_id} want {self._chain_id}")
        self._check_gas(offer)

    def _check_gas(self, offer: Offer) -> None:
        for words, least in (
            ("intrinsic gas too low", _intrinsic_gas(offer)),
            ("insufficient gas for floor data gas cost", _floor_gas(offer)),
        ):
            if offer.gas_limit < least:
                raise Refused(f"{words}: gas {offer.gas_limit}, minimum needed {least}")
        if offer.tip_wei < self.rules.tip_floor_wei:
            raise Refused(
                f"transaction gas price below minimum: gas tip cap {offer.tip_wei}, "
                f"minimum needed {self.rules.tip_floor_wei}"
            )

    def _check_state(self, offer: Offer, place: Place) -> None:
        if place.nonce > offer.nonce:
            raise Refused(f"nonce too low: next nonce {place.nonce}, tx nonce {offer.nonce}")
        words, balance = "insufficient funds for gas * price + value", place.balance_wei
        if balance < offer.cost_wei:
            raise Refused(f"{words}: balance {balance}, tx cost {offer.cost_wei}, overshot {offer.cost_wei - balance}")
        executable = {each.nonce: each.cost_wei for each in self.executable(offer.sender, place)}
        spent_wei, rival_wei = sum(executable.values()), executable.get(offer.nonce)
        need_wei = spent_wei + offer.cost_wei - (rival_wei or 0)
        if balance < need_wei:
            wanted = f"tx cost {offer.cost_wei}" if rival_wei is None else f"tx bumped {offer.cost_wei - rival_wei}"
            raise Refused(
                f"{words}: balance {balance}, queued cost {spent_wei}, {wanted}, overshot {need_wei - balance}"
            )

    def _truncate(self, sender: str, place: Place) -> None:
        """Drop the highest nonces beyond what one account may have."""
        executable = self.executable(sender, place)
        gapped = [offer for offer in self if offer.sender == sender and offer not in executable]
        beyond = gapped[self.rules.account_queue :]
        if self.rules.crowded:
            beyond += executable[self.rules.account_slots :]
        for offer in beyond:
            self.dropped.append(self._held.pop((sender, offer.nonce)).tx_hash)


def _outbids(offer: Offer, rival: Offer, percent: int) -> bool:
    pairs = ((offer.max_fee_wei, rival.max_fee_wei), (offer.tip_wei, rival.tip_wei))
    return all(bid > held and bid >= held * (100 + percent) // 100 for bid, held in pairs)


def _intrinsic_gas(offer: Offer) -> int:
    zeros = offer.data.count(0)
    data_gas = zeros * _ZERO_BYTE_GAS + (len(offer.data) - zeros) * _OTHER_BYTE_GAS
    return _TX_GAS + data_gas + (_CREATION_GAS if offer.creates else 0)


def _floor_gas(offer: Offer) -> int:
    """EIP-7623."""
    zeros = offer.data.count(0)
    return _TX_GAS + _FLOOR_TOKEN_GAS * (zeros + (len(offer.data) - zeros) * _TOKENS_PER_OTHER_BYTE)


def _ether(wei: int) -> str:
    return f"{wei / 10**18:.2f}"  # a float, as the node's own message has it
