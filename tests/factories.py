"""Values for tests: each factory gives a plain, valid thing; a test names only what it is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from distributor.addresses import keccak256, parse_address
from distributor.chain_types import Block, ChainSnapshot, FeeQuote, PreBindSnapshot, Receipt, Transfer
from distributor.model import Address, Attempt, AttemptKind, Fees, Hash, OpenTransaction, Order, OrderKey, Transaction
from distributor.settings.chain import FeeSettings, SettlementSettings
from distributor.state import Identity
from distributor.units import TokenUnits, Wei
from foundation.clock import UnixMs

GWEI = 10**9
TOKEN = 10**18
NOW_MS = UnixMs(1_800_000_000_000)


def an_address(name: str) -> Address:
    """Return the address that belongs to *name*, always the same."""
    return parse_address("0x" + keccak256(name.encode()).hex()[-40:])


def a_hash(name: str) -> Hash:
    """Return the hash that belongs to *name*, always the same."""
    return Hash("0x" + keccak256(name.encode()).hex())


OPERATOR = an_address("operator")
RESERVE = an_address("reserve")
AUTHORITY = an_address("authority")
BALLX = an_address("token")
ALICE = an_address("alice")
BOB = an_address("bob")

IDENTITY = Identity(ledger_id="ledger-1", chain_id=31337, token=BALLX, authority=AUTHORITY, reserve=RESERVE)
LIMITS = FeeSettings(
    max_fee_wei=Wei(60 * GWEI), max_tip_wei=Wei(40 * GWEI), min_tip_wei=Wei(30 * GWEI), gas_limit=300_000
)
POLICY = SettlementSettings(
    finality_depth=None,
    min_confirmations=3,
    release_confirmations=10,
    resubmit_after_ms=10_000,
    replace_after_ms=30_000,
    max_attempts=5,
)
MARKET = FeeQuote(base_fee_wei=Wei(1 * GWEI), tip_wei=Wei(30 * GWEI), gas_price_wei=Wei(31 * GWEI))


def an_order(order_id: str = "ORD1", **changes: Any) -> Order:
    """Return a received order of 10 tokens for alice."""
    order = Order(
        source="default",
        order_id=order_id,
        wallet=ALICE,
        amount_units=TokenUnits(10 * TOKEN),
        tipo="bonus",
        reason="Reward",
        ref_id=Hash("0x" + order_id.encode().hex().ljust(64, "0")),
        fingerprint=keccak256(order_id.encode()).hex(),
        received_ms=NOW_MS,
        updated_ms=NOW_MS,
    )
    return replace(order, **changes)


def an_attempt(index: int = 0, nonce: int = 7, **changes: Any) -> Attempt:
    """Return a paying attempt signed now."""
    attempt = Attempt(
        operator=OPERATOR,
        nonce=nonce,
        index=index,
        kind=AttemptKind.PAY,
        raw=f"raw {nonce} {index}".encode(),
        tx_hash=a_hash(f"attempt {nonce} {index}"),
        fees=Fees(max_fee_wei=Wei(32 * GWEI), tip_wei=Wei(30 * GWEI)),
        gas_limit=300_000,
        signed_ms=NOW_MS,
    )
    return replace(attempt, **changes)


def a_transaction(nonce: int = 7, **changes: Any) -> Transaction:
    """Return a signed transaction of one order, bound now."""
    transaction = Transaction(
        operator=OPERATOR,
        nonce=nonce,
        to=AUTHORITY,
        data=b"distribute",
        orders=(OrderKey("default", "ORD1"),),
        committed_units=TokenUnits(10 * TOKEN),
        bound_day="2027-01-15",
        bound_ms=NOW_MS,
    )
    return replace(transaction, **changes)


def opened(transaction: Transaction, *attempts: Attempt) -> OpenTransaction:
    """Return *transaction* with its attempts; with one first attempt where none is given."""
    attempts = attempts or (an_attempt(nonce=transaction.nonce),)
    return OpenTransaction(transaction=replace(transaction, attempts=len(attempts)), attempts=attempts)


def a_block(number: int, fork: str = "main") -> Block:
    """Return the block at *number* of a fork, always the same."""
    return Block(number=number, block_hash=a_hash(f"block {number} {fork}"))


def a_receipt(attempt: Attempt, block: Block, **changes: Any) -> Receipt:
    """Return the receipt of *attempt* with the transfer that pays ``an_order()``."""
    transfer = Transfer(log_index=0, sender=RESERVE, recipient=ALICE, amount_units=TokenUnits(10 * TOKEN))
    receipt = Receipt(
        tx_hash=attempt.tx_hash,
        block=block,
        succeeded=True,
        gas_used=63_000,
        gas_price_wei=Wei(31 * GWEI),
        transfers=(transfer,),
    )
    return replace(receipt, **changes)


def a_chain_snapshot(head: int = 100, *receipts: Receipt, nonce: int = 7, **changes: Any) -> ChainSnapshot:
    """Return what a node shows at *head*, with finality two blocks behind and every receipt's block canonical."""
    observation = ChainSnapshot(
        node="node-1",
        head=a_block(head),
        finalized_number=head - 2,
        nonces={OPERATOR: nonce},
        receipts={receipt.tx_hash: receipt for receipt in receipts},
        canonical={receipt.block.number: receipt.block.block_hash for receipt in receipts},
        market=MARKET,
    )
    return replace(observation, **changes)


def a_pre_bind_snapshot(**changes: Any) -> PreBindSnapshot:
    """Return a healthy chain: a full reserve, a large allowance, gas for a thousand payouts."""
    snapshot = PreBindSnapshot(
        node="node-1",
        head=a_block(100),
        finalized_number=98,
        nonce=7,
        gas_balance_wei=Wei(10**20),
        reserve_units=TokenUnits(1_000_000 * TOKEN),
        allowance_units=TokenUnits(1_000_000 * TOKEN),
        token_has_code=True,
        authority_has_code=True,
        market=MARKET,
    )
    return replace(snapshot, **changes)
