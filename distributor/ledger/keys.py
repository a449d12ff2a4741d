"""
The key of each row. Keys sort as text, so a number in a key is padded with zeros.

The partition is the chain: no key needs it, and an order stays paid when the operator changes.
"""

from __future__ import annotations

from distributor.ledger.secret_fingerprints import secret_id
from distributor.model import Address, Attempt, Hash, Order, OrderKey

IDENTITY, CONTROL, COMMITMENTS, WATCH, WAITING = "identity", "control", "commitments", "watch", "waiting"
OPEN_ORDERS, OPEN_TRANSACTIONS, NONCES = "open:", "opentx:", "nonce:"
ORDERS, REFS, HELD = "order:", "ref:", "held:"
REBUILD, AHEAD, SCHEMA, RESTORED = "rebuild", "ahead", "schema", "restored"
SETTLEMENT_LOOK = "settlement-look"
SHOPS, SECRETS = "shops", "secret:"  # pragma: allowlist secret
UNWITNESSED, DISTRUST = "unwitnessed:", "distrust:"
FORMER, DOUBTED_PAST = "former:", "doubted-past"
TIMES, SHOP_TIMES, WALLET_TIMES, HASHES = "time:", "time-shop:", "time-wallet:", "hash:"
ANNOUNCEMENTS, CALL_BACKS, CALLS_DUE = "call:", "callback:", "callback-due:"
GUARD_MARKS = "guardmark:"
DAYS = "day:"
RETENTION = "retention"
CALL_TIMES, CALL_ADDRESSES = "callback-time:", "callback-address:"
_LAST_MS = 10**15 - 1
"""A table is read forwards only; the time that is left until then sorts the newest order first."""


def order_row(key: OrderKey) -> str:
    """One order, never removed."""
    return f"{ORDERS}{key.source}:{key.order_id}"


def ref(ref_id: Hash) -> str:
    """The order's reference on chain, spent once and never modified."""
    return f"{REFS}{ref_id}"


def open_order(waiting: Order) -> str:
    """An order's place in the backlog; gone when it is bound or held."""
    return f"{OPEN_ORDERS}{waiting.queue_key}"


def held_row(key: OrderKey) -> str:
    """An order that waits for a person."""
    return f"{HELD}{key.source}:{key.order_id}"


def newest_first(received_ms: int) -> str:
    """Return a time as a text that sorts the later one first."""
    return f"{_LAST_MS - received_ms:015d}"


def time_row(order: Order) -> str:
    """An order by the time it came."""
    return f"{TIMES}{newest_first(order.received_ms)}:{order.source}:{order.order_id}"


def shop_time_row(order: Order) -> str:
    """An order by its shop and the time it came."""
    return f"{SHOP_TIMES}{order.source}:{newest_first(order.received_ms)}:{order.order_id}"


def wallet_time_row(order: Order) -> str:
    """An order by its wallet and the time it came."""
    return f"{WALLET_TIMES}{order.wallet}:{newest_first(order.received_ms)}:{order.source}:{order.order_id}"


def of_hash(tx_hash: Hash) -> str:
    """Return what the keys of everything with that hash begin with."""
    return f"{HASHES}{tx_hash}:"


def attempt_hash(attempt: Attempt) -> str:
    """An attempt by the hash of its transaction."""
    return f"{of_hash(attempt.tx_hash)}{attempt.operator}:{attempt.nonce:020d}:{attempt.index:04d}"


def payment_hash(tx_hash: Hash, key: OrderKey) -> str:
    """An order by the hash of a transaction that paid it and is not one of this ledger's attempts."""
    return f"{of_hash(tx_hash)}order:{key.source}:{key.order_id}"


def announcement(sequence: int, first: OrderKey) -> str:
    """What shops are to be told of one group, the oldest first; an order has each sequence once."""
    return f"{ANNOUNCEMENTS}{sequence:015d}:{first.source}:{first.order_id}"


def call_backs_of(key: OrderKey) -> str:
    """Return what the keys of an order's call-backs begin with."""
    return f"{CALL_BACKS}{key.source}:{key.order_id}:"


def call_back(key: OrderKey, sequence: int) -> str:
    """One event of one order, and how its shop was told."""
    return f"{call_backs_of(key)}{sequence:015d}"


def calls_due(source: str) -> str:
    """Return what the keys of a shop's call-backs begin with that are still to be sent."""
    return f"{CALLS_DUE}{source}:"


def call_due(key: OrderKey, sequence: int, next_ms: int) -> str:
    """A call-back by the time it is to be sent, the first one first."""
    return f"{calls_due(key.source)}{next_ms:015d}:{key.order_id}:{sequence:015d}"


def call_times(source: str) -> str:
    """Return what the keys of a shop's call-backs begin with, by time."""
    return f"{CALL_TIMES}{source}:"


def call_time(key: OrderKey, sequence: int, at_ms: int) -> str:
    """A call-back by the time of its event, the newest first."""
    return f"{call_times(key.source)}{newest_first(at_ms)}:{key.order_id}:{sequence:015d}"


def call_address(source: str) -> str:
    """How the address answers that a shop's call-backs go to."""
    return f"{CALL_ADDRESSES}{source}"


def nonce(operator: Address) -> str:
    """The next nonce of one operator; only its own bindings move it."""
    return f"{NONCES}{operator}"


def transaction(operator: Address, number: int) -> str:
    """One nonce of one operator and what became of it."""
    return f"tx:{operator}:{number:020d}"


def open_transaction(operator: Address, number: int) -> str:
    """A transaction that is not final yet."""
    return f"{OPEN_TRANSACTIONS}{operator}:{number:020d}"


def operator_of(open_key: str) -> Address:
    """Return whose an ``opentx:`` row is, by its key alone."""
    return Address(open_key.removeprefix(OPEN_TRANSACTIONS).partition(":")[0])


def guard_mark(guard: Address) -> str:
    """How far the records of a guard are known; forgotten, they are read again from its beginning."""
    return f"{GUARD_MARKS}{guard}"


def former(kind: str, address: Address) -> str:
    """A contract or reserve that this ledger once paid through or from."""
    return f"{FORMER}{kind}:{address}"


def unwitnessed(operator: Address, number: int) -> str:
    """A closed transaction that rests on one node's word."""
    return f"{UNWITNESSED}{operator}:{number:020d}"


def distrust(node: str) -> str:
    """A node that contradicted itself; a table's key holds no number sign."""
    return f"{DISTRUST}{node.replace('#', '~')}"


def attempts_of(operator: Address, number: int) -> str:
    """Return what the keys of all attempts of one nonce begin with."""
    return f"attempt:{operator}:{number:020d}:"


def attempt(operator: Address, number: int, index: int) -> str:
    """One signed version of a transaction; append-only."""
    return f"{attempts_of(operator, number)}{index:04d}"


def secret(fingerprint: str) -> str:
    """Whose secret has this fingerprint."""
    return f"{SECRETS}{secret_id(fingerprint)}"


def fence_of(operator: Address) -> str:
    """Return what the keys of an operator's fence begin with."""
    return f"fence:{operator}:"


def fence(operator: Address, number: int) -> str:
    """The cancellation of one nonce by a fence."""
    return f"{fence_of(operator)}{number:020d}"


def proof(tx_hash: Hash, log_index: int) -> str:
    """One transfer by which a person called an order paid."""
    return f"{proofs_of(tx_hash)}{log_index:010d}"


def proofs_of(tx_hash: Hash) -> str:
    """The beginning of every ``proof`` row of one transaction."""
    return f"proof:{tx_hash}:"


def stop(subject: str) -> str:
    """A cause for which the payouts were stopped once."""
    return f"stop:{subject}"


def spent_row(day: str, wallet: Address | None = None) -> str:
    """What was bound in one UTC day, in all or to one wallet."""
    return f"spent:{day}:{wallet}" if wallet else f"spent:{day}"


def day_row(day: str) -> str:
    """What was paid in one UTC day; only charts read it."""
    return f"{DAYS}{day}"


def stats(operator: Address) -> str:
    """What one operator has done so far."""
    return f"stats:{operator}"
