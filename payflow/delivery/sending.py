"""
Mail one delivery, once.

The order is the proof: the claim is stored, the send log says *begun*, everything but the final dot is handed over,
the mark is stored with the claim's version, the dot is written, the reply is logged and stored.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from uuid import uuid4

from foundation import logs
from foundation.clock import Clock
from foundation.errors import Contention, StoreUnavailable
from payflow.delivery import rules
from payflow.delivery.ports import Channel, Deliveries, DeliveryKey, MailAccount, SendLog, delivery_key
from payflow.errors import SendLogUnavailable
from payflow.mail.codes import Verdict
from payflow.mail.smtp import SmtpOutcome
from payflow.model import NO_TERMS, PaymentTerms
from payflow.state import Delivery, DeliveryState

STEP_S_MAX: Final = 5.0
"""Between the claim or the mark and the step after it. More: the worker was frozen, and nothing is sent."""
TRIES_MAX: Final = 4

_log = logging.getLogger(__name__)


def new_owner() -> str:
    """Return a fresh token for one claim."""
    return uuid4().hex


@dataclass(frozen=True, kw_only=True)
class Sending:
    """Carries deliveries over a channel; safe beside any number of others that do the same."""

    deliveries: Deliveries
    log: SendLog
    sender: MailAccount
    clock: Clock
    monotonic: Callable[[], float] = time.monotonic
    owner: Callable[[], str] = new_owner
    said: PaymentTerms = NO_TERMS
    """What the mails say: the log knows it before they go out."""

    async def attempt(self, delivery: Delivery, data: bytes, channel: Channel) -> Delivery:
        """
        Try *delivery* once over *channel* and return it as it is stored then.

        Raises:
            Contention: It is not due, or another worker was first. Nothing was sent by us.
            SendLogUnavailable: Nothing was offered; the delivery is due again in a minute, and that is not counted.
            StoreUnavailable: The ledger did not answer; the row says what is known.
        """
        counted = rules.count_refusal(delivery, epoch=await self.sender.epoch())
        if counted.state is not DeliveryState.READY:
            return await self._save(counted)
        started_s = self.monotonic()
        claim = rules.claim(counted, self.owner(), self.clock())
        claimed = await self._save(replace(claim, operation_id=channel.named(claim.message_id)))
        try:
            await self.log.begin(delivery_key(claimed), claimed.owner, self.said)
        except SendLogUnavailable as error:
            await channel.close()
            await self._save(rules.put_off(claimed, self.clock(), str(error)))
            raise
        if self.monotonic() - started_s > STEP_S_MAX:
            return await self._go_back(claimed, channel, "too late after the claim")
        return await self._offer(claimed, data, channel)

    async def judge(self, delivery: Delivery, channel: Channel) -> Delivery:
        """
        Judge an abandoned *delivery* and return it as stored. Raises Contention if its worker came back.

        A carrier that knows the mail by an id is asked first, each minute for a quarter of an hour. What it does not
        know then, a person decides; the mail is never handed over again.
        """
        if rules.can_be_asked(delivery):
            if outcome := await channel.ask(delivery.operation_id):
                return await self._record(delivery, outcome)
            if rules.is_asked_still(delivery, self.clock()):
                return await self._save(rules.ask_later(delivery, self.clock(), delivery.reply))
        return await self._save(rules.judge_abandoned(delivery, self.clock()))

    # the steps -----------------------------------------------------------------------------------

    async def _offer(self, claimed: Delivery, data: bytes, channel: Channel) -> Delivery:
        outcome = await channel.offer(claimed.address, data)
        if outcome is not None:
            return await self._record(claimed, outcome)
        if self.clock() > claimed.attempt_deadline_ms:
            return await self._go_back(claimed, channel, "too late for the mark")
        marked_s = self.monotonic()
        try:
            marked = await self._save(rules.mark(claimed))
        except (Contention, StoreUnavailable):
            await channel.close()  # the body without its dot is dropped
            raise
        outcome = await channel.finish(marked_s + STEP_S_MAX)
        if outcome is None:
            return await self._go_back(marked, channel, "no dot: too late after the mark, or the connection was gone")
        return await self._record(marked, outcome)

    async def _go_back(self, delivery: Delivery, channel: Channel, words: str) -> Delivery:
        """Close the connection first: then it is certain that no dot of this attempt can follow."""
        await channel.close()
        return await self._save(rules.go_back(delivery, self.clock(), words))

    async def _record(self, delivery: Delivery, outcome: SmtpOutcome) -> Delivery:
        """Log, then store: a restored ledger asks the log, so the log must not know less than the row."""
        await self._log_end(delivery, outcome)
        epoch = await self.sender.heard(outcome, delivery.address_index)
        try:
            return await self._save(self._recorded(delivery, outcome, epoch))
        except Contention:
            return await self._record_late(delivery, outcome)

    def _recorded(self, delivery: Delivery, outcome: SmtpOutcome, epoch: int) -> Delivery:
        """An unknown outcome does not count yet if the carrier can be asked about it."""
        if outcome.verdict is Verdict.UNKNOWN and rules.can_be_asked(delivery):
            return rules.ask_later(delivery, self.clock(), outcome.words)
        return rules.record_outcome(delivery, outcome, self.clock(), epoch=epoch)

    async def _log_end(self, delivery: Delivery, outcome: SmtpOutcome) -> None:
        if outcome.verdict is Verdict.UNKNOWN:
            return
        try:
            await self.log.end(delivery_key(delivery), delivery.owner, accepted=outcome.verdict is Verdict.ACCEPTED)
        except SendLogUnavailable:
            logs.warning(_log, "send_log_end_lost", owner=delivery.owner)

    async def _record_late(self, delivery: Delivery, outcome: SmtpOutcome) -> Delivery:
        """Others have moved the delivery on; what the server said is a fact all the same."""
        for _ in range(TRIES_MAX):
            stored = await self.deliveries.read(delivery_key(delivery))
            if stored is None:
                raise Contention("the delivery is gone")
            known = rules.late_evidence(stored, delivery.owner, outcome, self.clock())
            if known == stored:
                return stored
            try:
                return (await self.deliveries.save(known, *await self._withdrawn(stored, known)))[0]
            except Contention:
                continue
        raise Contention("the delivery changes faster than it is recorded")

    async def _withdrawn(self, stored: Delivery, known: Delivery) -> list[Delivery]:
        """Return the *send again* of a delivery that arrived after all, taken back if nobody has claimed it."""
        if known.state is not DeliveryState.SENT or not stored.decided_by:
            return []
        again = await self.deliveries.read(again_key(stored))
        return [rules.withdraw(again)] if again and rules.withdraw(again) != again else []

    async def _save(self, delivery: Delivery) -> Delivery:
        return (await self.deliveries.save(delivery))[0]


def again_key(delivery: Delivery) -> DeliveryKey:
    """Return which mail *send again* makes of *delivery*."""
    return delivery_key(replace(delivery, kind=rules.again_kind(delivery.kind)))
