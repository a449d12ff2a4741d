"""Disciplines of reading the chain taken away: what a silence, a depth, a status or one node is taken for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from distributor.chain_types import Block, ChainSnapshot, Mark, Receipt, Word
from distributor.ledger import Ledger, keys
from distributor.ledger.columns import encode
from distributor.ledger.queries import must_find_record
from distributor.ledger.records import Total
from distributor.model import Address, AttemptKind, OpenTransaction, Order, TransactionStatus
from distributor.payout import lifecycle, payment_proof, weighing
from distributor.payout.confirmation import Confirmation
from distributor.payout.payment_proof import PaymentProof
from distributor.payout.step_kinds import Step, Submit, Wait
from distributor.payout.steps import StepExecutor, StepResult
from distributor.payout.weighing import Statements
from distributor.payout.witnesses import Witnesses
from distributor.settings.chain import SettlementSettings
from distributor.state import Spent
from distributor.units import TokenUnits
from foundation.tablestore.atomic import commit
from tests.properties.machine_broken_people import back_in_line

Patch = pytest.MonkeyPatch

# what the chain shows ------------------------------------------------------------------------------


def null_receipt_is_a_dropped_transaction(patch: Patch) -> None:
    """Put an order back in the line when its transaction is not to be seen after a while."""
    execute = StepExecutor.execute

    async def gives_up(self: StepExecutor, opened: OpenTransaction, step: Step, seen: ChainSnapshot) -> StepResult:
        if isinstance(step, Submit) and opened.transaction.submitted_ms is not None:
            await _forget(self.ledger, opened)
            return StepResult(closed=True)
        return await execute(self, opened, step, seen)

    patch.setattr(StepExecutor, "execute", gives_up)


async def _forget(ledger: Ledger, opened: OpenTransaction) -> None:
    """End a transaction as if it could never be mined, and put its order back in the line."""
    transaction = opened.transaction
    order = await ledger.order(transaction.orders[0])
    assert order is not None
    rows, total = ledger._rows, await must_find_record(ledger._rows, Total, keys.COMMITMENTS)
    spent = await must_find_record(rows, Spent, keys.spent_row(transaction.bound_day))
    freed, units = TokenUnits(total.units - order.amount_units), TokenUnits(spent.units - order.amount_units)
    ended = replace(transaction, status=TransactionStatus.FINAL, mined_hash=opened.attempts[-1].tx_hash)
    group = back_in_line(order)
    group.replace(keys.transaction(transaction.operator, transaction.nonce), encode(ended), transaction.version)
    group.delete(keys.open_transaction(transaction.operator, transaction.nonce))
    group.replace(keys.COMMITMENTS, encode(Total(units=freed)), total.version)
    group.replace(keys.spent_row(spent.day), encode(replace(spent, units=units)), spent.version)
    await commit(rows, group, marker_row=keys.order_row(order.key))


def final_at_one_confirmation(patch: Patch) -> None:
    """Close what has one block on top, by the word of any node."""

    def soon(number: int, mark: Mark, _policy: SettlementSettings, *, beyond: int = 0) -> bool:
        return mark.head_number - number >= 1 + beyond

    def shown_soon(word: Word, block: Block, policy: SettlementSettings, *, beyond: int = 0) -> bool:
        return word.canonical == block.block_hash and soon(block.number, word.mark, policy, beyond=beyond)

    patch.setattr(lifecycle, "is_deep", soon)
    patch.setattr(weighing, "shows_final", shown_soon)


def a_missing_tag_falls_back_to_depth(patch: Patch) -> None:
    """Count blocks while a node knows nothing final, the first one or any other."""
    is_deep, shows_final = lifecycle.is_deep, weighing.shows_final

    def by_depth(mark: Mark, policy: SettlementSettings) -> SettlementSettings:
        missing = policy.finality_depth is None and mark.finalized_number is None
        return policy.model_copy(update={"finality_depth": policy.min_confirmations}) if missing else policy

    def falls_back(number: int, mark: Mark, policy: SettlementSettings, *, beyond: int = 0) -> bool:
        return is_deep(number, mark, by_depth(mark, policy), beyond=beyond)

    def shown(word: Word, block: Block, policy: SettlementSettings, *, beyond: int = 0) -> bool:
        return shows_final(word, block, by_depth(word.mark, policy), beyond=beyond)

    patch.setattr(lifecycle, "is_deep", falls_back)
    patch.setattr(weighing, "shows_final", shown)


def mined_is_for_ever(patch: Patch) -> None:
    """Never look again whether a block is still there."""
    patch.setattr(lifecycle, "_without_its_receipt", lambda *_: Wait())


def paid_by_status_alone(patch: Patch) -> None:
    """Call an order paid because its call succeeded."""

    def by_status(orders: Sequence[Order], receipt: Receipt, reserve: Address, *, kind: AttemptKind) -> PaymentProof:
        paid = tuple(order.key for order in orders)
        return PaymentProof(paid=paid, held={}) if receipt.succeeded else judge(orders, receipt, reserve, kind=kind)

    judge = payment_proof.verify_payment
    patch.setattr(payment_proof, "verify_payment", by_status)


def cancelled_is_paid(patch: Patch) -> None:
    """Call an order paid because its nonce is final, whatever was mined under it."""
    judge = payment_proof.verify_payment

    def whatever(orders: Sequence[Order], receipt: Receipt, reserve: Address, *, kind: AttemptKind) -> PaymentProof:
        cancelled = kind is AttemptKind.CANCEL and receipt.succeeded
        paid = tuple(order.key for order in orders)
        return PaymentProof(paid=paid, held={}) if cancelled else judge(orders, receipt, reserve, kind=kind)

    patch.setattr(payment_proof, "verify_payment", whatever)


def released_at_finality(patch: Patch) -> None:
    """Give an order another chance as soon as its failure is final."""
    confirm = Confirmation.confirm

    async def soon(self: Confirmation, *about: Any) -> Any:
        return await confirm(replace(self, policy=self.policy.model_copy(update={"release_confirmations": 0})), *about)

    patch.setattr(Confirmation, "confirm", soon)


def released_on_one_nodes_word(patch: Patch) -> None:
    """Give an order another chance because one node calls its payment failed."""
    weigh = weighing.weigh

    def first_alone(statements: Statements, *about: Any, **named: Any) -> Any:
        return weigh(replace(statements, words=statements.words[:1], providers=1), *about, **named)

    patch.setattr(weighing, "weigh", first_alone)


def only_block_and_status_are_compared(patch: Patch) -> None:
    """Take two receipts for equal that differ in what the token emitted."""
    essence = weighing._essence

    def bare(word: Word) -> Any:
        found = essence(word)
        return found and (*found[:2], found[-1])

    patch.setattr(weighing, "_essence", bare)


def paid_on_one_nodes_word(patch: Patch) -> None:
    """Call an order paid because one node shows its payment; whatever is released still needs two."""
    weigh = weighing.weigh

    def first_alone(statements: Statements, *about: Any, **named: Any) -> Any:
        one = weigh(replace(statements, words=statements.words[:1], providers=1), *about, **named)
        _, effect_of, _ = about
        pays = one.receipt is not None and not effect_of(one.receipt).releases
        return one if pays else weigh(statements, *about, **named)

    patch.setattr(weighing, "weigh", first_alone)


def no_receipt_is_silence(patch: Patch) -> None:
    """Take a node that has no such receipt for one that does not answer."""
    hear = Witnesses.hear

    async def deaf(self: Witnesses, *about: Any, **named: Any) -> Any:
        heard = await hear(self, *about, **named)
        return {
            tx_hash: replace(said, words=tuple(word for word in said.words if word.receipt is not None))
            for tx_hash, said in heard.items()
        }

    patch.setattr(Witnesses, "hear", deaf)
