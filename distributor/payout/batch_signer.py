"""Sign the batches of a round, each for its own nonce; nothing is stored here and nothing is shown to anybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distributor import approvals
from distributor.errors import SignerUnavailable
from distributor.ledger.binding import Binding, sum_of
from distributor.model import AttemptKind, Fees, Transaction
from distributor.payout import submission
from distributor.payout.preflight import DistributionConfig
from distributor.payout.trial import Batch
from distributor.ports import Payer, Signer, UnsignedTransaction
from distributor.state import BindingState
from foundation.clock import Clock, elapsed_ms, utc_day

SIGNING_MS = 10_000  # a round begins no further signature after that; a vault is waited for besides


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchSigner:
    """Who signs, what pays, and the gas and the chain it is signed for."""

    signer: Signer
    payer: Payer
    config: DistributionConfig
    clock: Clock

    async def sign_all(self, binding_state: BindingState, batches: Sequence[Batch], price: Fees) -> Sequence[Binding]:
        """
        Sign the batches in turn, for as long as ``SIGNING_MS``, the day of the totals and the approvals last.

        A vault may take seconds for each signature: the next round signs what is left, under a renewed lease.
        Where a signature fails, what is signed goes out first; the next round says what is wrong.
        """
        signed, began_ms = list[Binding](), self.clock()
        for nonce, batch in enumerate(batches, start=binding_state.next_nonce):
            if signed and elapsed_ms(began_ms, self.clock()) >= SIGNING_MS:
                break
            try:
                binding = await self.sign(binding_state, nonce, batch, price)
            except SignerUnavailable:
                if not signed:
                    raise
                break
            if self._stale(binding, binding_state):
                break
            signed.append(binding)
        return signed

    def _stale(self, binding: Binding, binding_state: BindingState) -> bool:
        """Say whether orders were chosen by yesterday's totals, or an approval ended while they were signed."""
        transaction, caps = binding.transaction, self.config.caps
        unapproved = any(approvals.lacks(order, caps, transaction.bound_ms) for order in binding.orders)
        return unapproved or transaction.bound_day != binding_state.spent.day

    async def sign(self, binding_state: BindingState, nonce: int, batch: Batch, price: Fees) -> Binding:
        """Return *batch* with the transaction that pays it and its first bytes. Raises SignerUnavailable."""
        call, now_ms = self.payer.pay(*batch), self.clock()
        unsigned = UnsignedTransaction(
            chain_id=self.config.identity.chain_id,
            nonce=nonce,
            call=call,
            gas_limit=self.config.payment_gas(len(batch)),
            fees=price,
        )
        transaction = Transaction(
            operator=binding_state.operator,
            nonce=nonce,
            to=call.to,
            data=call.data,
            orders=tuple(order.key for order in batch),
            committed_units=sum_of(batch),
            bound_day=utc_day(now_ms),
            bound_ms=now_ms,
        )
        attempt = await submission.sign_attempt(self.signer, unsigned, now_ms, kind=AttemptKind.PAY, index=0)
        return Binding(batch, transaction, attempt)
