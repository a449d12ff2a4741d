"""What sending needs of the ledger, of the send log, and of the mail server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from payflow.mail.smtp import SmtpOutcome
from payflow.model import NO_TERMS, PaymentKey, PaymentTerms
from payflow.state import Delivery


class DeliveryKey(NamedTuple):
    """Which mail this is: one payment, one kind, one address."""

    payment: PaymentKey
    kind: str
    number: int


def delivery_key(delivery: Delivery) -> DeliveryKey:
    """Return which mail *delivery* is."""
    return DeliveryKey(delivery.payment, delivery.kind, delivery.number)


class Deliveries(Protocol):
    """The delivery rows. Both raise StoreUnavailable."""

    async def read(self, key: DeliveryKey) -> Delivery | None:
        """Return a delivery as it is stored, or None."""

    async def save(self, *deliveries: Delivery) -> Sequence[Delivery]:
        """
        Store *deliveries* of one company together, or none; return them with their new versions.

        Each is conditional on the version it was read with; an unstored one must not exist. A lost answer is read
        back by the group's own token. Raises Contention if another worker was first.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """What the send log says before a message is offered. No personal data."""

    key: DeliveryKey
    owner: str
    epoch: int


class SendLog(Protocol):
    """The append-only second record, in another account than the ledger."""

    async def begin(self, key: DeliveryKey, owner: str, said: PaymentTerms = NO_TERMS) -> None:
        """
        Append that *owner* is about to offer this mail, and what it says.

        Raises SendLogUnavailable if it is not certain that it was written, or if the log's epoch is a newer one than
        this worker's (a restore has begun): then nothing may be sent.
        """

    async def end(self, key: DeliveryKey, owner: str, *, accepted: bool) -> None:
        """
        Append how it ended; the same word again on the same UTC day changes nothing.

        Raises SendLogUnavailable; the row is then the only record.
        """


class Channel(Protocol):
    """
    One connection to the carrier of the mail; ``monotonic`` seconds are those of ``time.monotonic``.

    The *final dot* is the step that makes the carrier accept the mail: SMTP's, or the post to a service.
    """

    def named(self, message_id: str) -> str:
        """Return the id under which the carrier will know the mail, stored before it is offered; empty: none."""

    async def ask(self, operation_id: str) -> SmtpOutcome | None:
        """Return what became of a mail that the carrier knows by *operation_id*; None: nobody knows, or not yet."""

    async def offer(self, recipient: str, data: bytes) -> SmtpOutcome | None:
        """Hand over everything but the final dot. None: the dot may follow."""

    async def finish(self, not_after_s: float) -> SmtpOutcome | None:
        """Write the dot; None when it is certain that it was not written."""

    async def close(self) -> None: ...


class MailAccount(Protocol):
    """The account's state, shared by all companies: what a refusal and an acceptance change."""

    async def epoch(self) -> int:
        """Return how often the sender has gone on after a refusal, from 1."""

    async def heard(self, outcome: SmtpOutcome, address_index: str) -> int:
        """Take note of an outcome, stop or go on; return the epoch."""


LogRecords = Mapping[DeliveryKey, Sequence[tuple[str, str]]]
"""Of each mail, what the log says: (owner, ``begun`` | ``accepted`` | ``not_accepted``)."""
