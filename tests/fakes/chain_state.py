"""What a block leaves behind: balances, nonces, and what one transaction does to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from eth_abi.abi import decode, encode

from distributor.addresses import keccak256, parse_address
from distributor.chain_types import (
    Block,
    Call,
    GuardEvent,
    GuardPayment,
    GuardWord,
    Receipt,
    Revert,
    RevertKind,
    Transfer,
)
from distributor.model import Address, Fees, Hash, Order, SubmitOutcome
from distributor.payout.guard_calls import is_guarded
from distributor.units import TokenUnits, Wei
from tests.fakes.signer import Sent

TOKEN = Address("0x1111111111111111111111111111111111111111")
AUTHORITY = Address("0x2222222222222222222222222222222222222222")
RESERVE = Address("0x3333333333333333333333333333333333333333")
OPERATOR = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
"""The operator of the local chain, so that its real key signs for the fake as well."""
CUSTOMERS = tuple(Address(f"0x{digit * 40}") for digit in "456789")

GUARD = Address("0xaAaAaAaaAaAaAaaAaAAAAAAAAaaaAaAaAaaAaaAa")
PLAIN_GAS = 21_000
PRICE_BUMP_PERCENT = 10
_DISTRIBUTE = keccak256(b"distribute(address,uint256,bytes32,string)")[:4]
_ARGUMENTS = ("address", "uint256", "bytes32", "string")


class Behaviour(StrEnum):
    """What the Authority does when it is called to pay."""

    HONEST = "honest"
    SILENT = "silent"
    """Succeeds and moves nothing."""
    FORGING = "forging"
    """Moves nothing, and emits an event like the token's."""
    SHORT = "short"
    """Moves one unit less."""
    REFUSING = "refusing"
    """Reverts for a reason nobody knows."""


@dataclass(kw_only=True)
class Rules:
    """What the contracts and the chain are like; set by a test, the same on every branch of the chain."""

    token: Address
    authority: Address
    reserve: Address
    operators: set[Address]
    behaviour: Behaviour = Behaviour.HONEST
    paused: bool = False
    token_has_code: bool = True
    authority_has_code: bool = True
    refused_wallets: set[Address] = field(default_factory=set)
    guard: Address | None = None
    """A guard before the Authority; an operator of it only while it is among *operators*."""
    hot_keys: set[Address] = field(default_factory=set)
    guard_paused: bool = False
    failing_refs: set[Hash] = field(default_factory=set)
    """References whose item fails at the guard."""
    guard_is_mute: bool = False
    """Succeeds, moves nothing, and says nothing."""
    distribute_gas: int = 60_000
    base_fee_wei: Wei | None = Wei(10**9)
    tip_wei: Wei = Wei(10**9)
    least_tip_wei: Wei = Wei(0)
    """A producer leaves out what would leave it less than this for a unit of gas."""
    silent: set[Address] = field(default_factory=set)
    """Senders whose transactions no producer sees, whatever they offer."""


@dataclass(kw_only=True)
class State:
    """What transactions change."""

    nonces: dict[Address, int] = field(default_factory=dict)
    gas_wei: dict[Address, int] = field(default_factory=dict)
    tokens: dict[Address, int] = field(default_factory=dict)
    allowance_units: int = 0
    payments: dict[Hash, GuardPayment] = field(default_factory=dict)
    """What the guard recorded, by reference."""

    def copy(self) -> State:
        return replace(
            self,
            nonces=dict(self.nonces),
            gas_wei=dict(self.gas_wei),
            tokens=dict(self.tokens),
            payments=dict(self.payments),
        )


@dataclass(frozen=True, kw_only=True)
class Mined:
    """A block: its place, the state after it, what it holds."""

    place: Block
    state: State
    receipts: dict[Hash, Receipt]
    sent: tuple[Sent, ...]


class Pool:
    """The transactions a node holds that are in no block, one for each sender and nonce."""

    def __init__(self) -> None:
        self._sent: dict[tuple[Address, int], Sent] = {}

    def __iter__(self) -> Iterator[Sent]:
        """Yield them in the order of their senders and nonces."""
        return iter([self._sent[key] for key in sorted(self._sent)])

    def take(self, sent: Sent, state: State) -> SubmitOutcome:
        """Take *sent* as Bor does: a replacement must bid 10 % more, a poor sender is refused, a gap may stay."""
        key, unsigned = (sent.sender, sent.unsigned.nonce), sent.unsigned
        rival = self._sent.get(key)
        if rival is not None and rival.tx_hash == sent.tx_hash:
            return SubmitOutcome.ALREADY_KNOWN
        if unsigned.nonce < state.nonces.get(sent.sender, 0):
            return SubmitOutcome.NONCE_TOO_LOW
        if state.gas_wei.get(sent.sender, 0) < unsigned.gas_limit * unsigned.fees.max_fee_wei:
            return SubmitOutcome.GAS_SHORT
        if rival is not None and not _outbids(unsigned.fees, rival.unsigned.fees):
            return SubmitOutcome.UNDERPRICED
        self._sent[key] = sent
        return SubmitOutcome.ACCEPTED

    def put_back(self, sent: Iterable[Sent]) -> None:
        """Hold transactions again that a reorganisation took out of their blocks."""
        self._sent |= {(one.sender, one.unsigned.nonce): one for one in sent}

    def drop(self, tx_hash: Hash) -> None:
        self._sent = {key: sent for key, sent in self._sent.items() if sent.tx_hash != tx_hash}

    def minable(self, state: State, rules: Rules) -> Sequence[Sent]:
        """Return what the next block can hold: each sender's without gaps, and dear enough for base fee and tip."""
        nonces, chosen = dict(state.nonces), []
        for sent in self:
            nonce, fees = sent.unsigned.nonce, sent.unsigned.fees
            if nonce == nonces.get(sent.sender, 0) and _pays(fees, rules) and sent.sender not in rules.silent:
                nonces[sent.sender] = nonce + 1
                chosen.append(sent)
        return chosen

    def forget_spent(self, state: State) -> None:
        """Forget what no block can hold any more."""
        self._sent = {key: sent for key, sent in self._sent.items() if key[1] >= state.nonces.get(key[0], 0)}


def _pays(fees: Fees, rules: Rules) -> bool:
    left_wei = fees.max_fee_wei - (rules.base_fee_wei or 0)
    return (min(fees.tip_wei, left_wei) if fees.dynamic else left_wei) >= rules.least_tip_wei


def _outbids(fees: Fees, rival: Fees) -> bool:
    bids = ((fees.max_fee_wei, rival.max_fee_wei), (fees.tip_wei, rival.tip_wei))
    return all(100 * bid >= (100 + PRICE_BUMP_PERCENT) * held for bid, held in bids)


def distribute_data(wallet: Address, amount_units: TokenUnits, ref_id: bytes, reason: str) -> bytes:
    """Return the call data of ``distribute``."""
    return _DISTRIBUTE + encode(_ARGUMENTS, (wallet, amount_units, ref_id, reason))


def attempt(
    state: State, rules: Rules, sender: Address, call: Call, *, log_index: int = 0
) -> tuple[Transfer | None, Revert | None]:
    """Return the transfer *call* makes, or why it is refused; what is no distribution does nothing."""
    if call.to != rules.authority or call.data[:4] != _DISTRIBUTE or not rules.authority_has_code:
        return None, None
    wallet, amount_units, _, _ = decode(_ARGUMENTS, call.data[4:])
    recipient = parse_address(wallet)
    if refusal := _refusal(state, rules, sender, recipient, amount_units):
        return None, refusal
    if rules.behaviour in {Behaviour.SILENT, Behaviour.FORGING}:
        return None, None
    moved = amount_units - (rules.behaviour is Behaviour.SHORT)
    return Transfer(
        log_index=log_index, sender=rules.reserve, recipient=recipient, amount_units=TokenUnits(moved)
    ), None


def asked_for(rules: Rules, call: Call) -> tuple[Transfer, ...]:
    """Return the transfer that *call* asks the Authority for."""
    if call.data[:4] != _DISTRIBUTE:
        return ()
    wallet, amount_units, _, _ = decode(_ARGUMENTS, call.data[4:])
    recipient, amount = parse_address(wallet), TokenUnits(amount_units)
    return (Transfer(log_index=0, sender=rules.reserve, recipient=recipient, amount_units=amount),)


def a_transfer(reserve: Address, order: Order) -> Transfer:
    """Return the transfer that would pay *order*."""
    return Transfer(log_index=0, sender=reserve, recipient=order.wallet, amount_units=order.amount_units)


@dataclass(frozen=True, kw_only=True)
class GuardedCall:
    """What a call through the guard does: all of it refused, or something of each item."""

    refusal: Revert | None = None
    events: tuple[GuardEvent, ...] = ()
    transfers: tuple[Transfer, ...] = ()


@dataclass(kw_only=True)
class _Items:
    """A guarded call in the middle of its items."""

    state: State
    rules: Rules
    tx_hash: Hash
    place: Block
    first_log: int
    events: list[GuardEvent] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)

    def pay(self, guard: Address, data: bytes) -> None:
        """Pay what the call *data* of ``distribute`` ask for, or say why not."""
        to, amount, ref, _ = decode(_ARGUMENTS, data[4:])
        ref_id, log_index = Hash(f"0x{ref.hex()}"), self.first_log + 2 * len(self.events)
        event = GuardEvent(emitter=guard, log_index=log_index + 1, word=GuardWord.ALREADY_PAID, ref_id=ref_id)
        if ref_id not in self.state.payments:
            call = Call(to=self.rules.authority, data=data)
            transfer, refusal = attempt(self.state, self.rules, guard, call, log_index=log_index)
            if transfer is None or transfer.amount_units != amount or ref_id in self.rules.failing_refs:
                refusal = refusal or Revert(kind=RevertKind.OTHER, text="NotArrived")
                event = replace(event, word=GuardWord.ITEM_FAILED, refusal=refusal)
            else:
                event = self._paid(event, transfer, parse_address(to))
        self.events.append(event)

    def _paid(self, event: GuardEvent, transfer: Transfer, wallet: Address) -> GuardEvent:
        _move(self.state, transfer)
        self.transfers.append(transfer)
        self.state.payments[event.ref_id] = GuardPayment(
            ref_id=event.ref_id,
            tx_hash=self.tx_hash,
            block=self.place,
            log_index=event.log_index,
            wallet=wallet,
            amount_units=transfer.amount_units,
        )
        return replace(event, word=GuardWord.PAID, wallet=wallet, amount_units=transfer.amount_units)


def call_guard(
    state: State, rules: Rules, sender: Address, data: bytes, at: tuple[Hash, Block], *, position: int = 0
) -> GuardedCall:
    """
    Do a guarded call to *state*, in a transaction and its block; each transfer has the index before its event.

    No two logs of a block have one index, so the transaction at *position* begins behind those before it.
    """
    if sender not in rules.hot_keys or rules.guard is None:
        return GuardedCall(refusal=Revert(kind=RevertKind.ROLE_MISSING, text="NotAHotKey"))
    if rules.guard_paused:
        return GuardedCall(refusal=Revert(kind=RevertKind.GUARD_PAUSED, text="EnforcedPause()"))
    _, items = decode(["uint256", "(address,uint256,bytes32,string)[]"], data[4:])
    done = _Items(state=state, rules=rules, tx_hash=at[0], place=at[1], first_log=100 * (position + 1))
    for to, amount, ref, reason in () if rules.guard_is_mute else items:
        done.pay(rules.guard, distribute_data(parse_address(to), TokenUnits(amount), ref, reason))
    return GuardedCall(events=tuple(done.events), transfers=tuple(done.transfers))


def execute(state: State, rules: Rules, sent: Sent, place: Block, *, log_index: int) -> Receipt:
    """Do *sent* to *state* and return its receipt; a refusal still costs gas and spends the nonce."""
    unsigned = sent.unsigned
    if unsigned.call.to == rules.guard and is_guarded(unsigned.call.data):
        return _execute_guarded(state, rules, sent, place, log_index)
    transfer, refusal = attempt(state, rules, sent.sender, unsigned.call, log_index=log_index)
    gas_used = rules.distribute_gas if unsigned.call.to == rules.authority else PLAIN_GAS
    succeeded = refusal is None and gas_used <= unsigned.gas_limit
    price = gas_price(sent, rules.base_fee_wei)
    state.nonces[sent.sender] = unsigned.nonce + 1
    state.gas_wei[sent.sender] = state.gas_wei.get(sent.sender, 0) - min(gas_used, unsigned.gas_limit) * price
    if succeeded and transfer is not None:
        _move(state, transfer)
    return Receipt(
        tx_hash=sent.tx_hash,
        block=place,
        succeeded=succeeded,
        gas_used=min(gas_used, unsigned.gas_limit),
        gas_price_wei=Wei(price),
        transfers=(transfer,) if succeeded and transfer is not None else (),
    )


def _execute_guarded(state: State, rules: Rules, sent: Sent, place: Block, position: int) -> Receipt:
    call, price = sent.unsigned.call, gas_price(sent, rules.base_fee_wei)
    done = call_guard(state, rules, sent.sender, call.data, (sent.tx_hash, place), position=position)
    state.nonces[sent.sender] = sent.unsigned.nonce + 1
    state.gas_wei[sent.sender] = state.gas_wei.get(sent.sender, 0) - rules.distribute_gas * price
    return Receipt(
        tx_hash=sent.tx_hash,
        block=place,
        succeeded=done.refusal is None,
        gas_used=rules.distribute_gas,
        gas_price_wei=Wei(price),
        transfers=done.transfers,
        guard_events=done.events,
    )


def gas_price(sent: Sent, base_fee_wei: Wei | None) -> int:
    """Return what a unit of gas costs the sender in a block with this base fee."""
    fees = sent.unsigned.fees
    return fees.max_fee_wei if not fees.dynamic else min(fees.max_fee_wei, (base_fee_wei or 0) + fees.tip_wei)


def _refusal(state: State, rules: Rules, sender: Address, wallet: Address, amount_units: int) -> Revert | None:
    """Return the first reason to refuse, in the order in which the reference contracts look."""
    checks = (
        (sender not in rules.operators, RevertKind.ROLE_MISSING, "AccessControlUnauthorizedAccount"),
        (rules.paused, RevertKind.AUTHORITY_PAUSED, "EnforcedPause()"),
        (rules.behaviour is Behaviour.REFUSING, RevertKind.OTHER, "0xdeadbeef"),
        (wallet in rules.refused_wallets, RevertKind.OTHER, "wallet refused"),
        (state.allowance_units < amount_units, RevertKind.ALLOWANCE_SHORT, "ERC20InsufficientAllowance"),
        (state.tokens.get(rules.reserve, 0) < amount_units, RevertKind.RESERVE_SHORT, "ERC20InsufficientBalance"),
    )
    return next((Revert(kind=kind, text=text) for refused, kind, text in checks if refused), None)


def _move(state: State, transfer: Transfer) -> None:
    state.allowance_units -= transfer.amount_units
    state.tokens[transfer.sender] -= transfer.amount_units
    state.tokens[transfer.recipient] = state.tokens.get(transfer.recipient, 0) + transfer.amount_units
