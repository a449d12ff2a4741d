"""
What PayFlow keeps of companies, receipts and deliveries; ``connection`` and ``progress`` hold the rest.

A row never says what to do; it says what is known. ``version`` is the ETag of the row a value was read from, and no
part of what the value is. Values of the enumerations are stored: they are promises and never change.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

from foundation.clock import UnixMs
from foundation.tablestore.ports import UNSTORED, Version
from payflow.model import NO_TERMS, BaixaId, Centavos, CompanyId, CustomerId, InstalmentId, PaymentKey, PaymentTerms


class CompanyStatus(StrEnum):
    """Whether PayFlow works for a company, and if not, why."""

    CONFIRM = "confirm"
    """Connected without an expected document: the operator compares name and document first."""
    ACTIVE = "active"
    NEEDS_RECONNECT = "needs_reconnect"
    """Conta Azul no longer takes the refresh token: the clinic has to sign in once more."""
    BLOCKED_PLAN = "blocked_plan"
    """The clinic's plan at Conta Azul has no API (END_TRIAL); asked again each hour."""
    PAUSED = "paused"
    ELSEWHERE = "elsewhere"
    """Another deployment serves the clinic: nothing is looked for and nothing is sent, and nothing is lost."""
    DISCONNECTED = "disconnected"


class DocumentPolicy(StrEnum):
    """Where a receipt's document comes from."""

    ERP = "erp"
    """Only Conta Azul's; without one a person decides."""
    ERP_THEN_OWN = "erp_then_own"
    """Conta Azul's; two hours after the payment was found without one, our own."""
    OWN = "own"
    """Always our own *comprovante de pagamento*."""


class ReceiptState(StrEnum):
    """Where a receipt is on its way; HELD waits for a person, and the last four end it without a mail."""

    FOUND = "found"
    WAITING_DOCUMENT = "waiting_document"
    READY = "ready"
    SENDING = "sending"
    UNKNOWN = "unknown"
    """The mail server's answer after the final dot was lost: a person decides."""
    SENT = "sent"
    REFUSED = "refused"
    """Refused permanently, because of this address."""
    HELD = "held"
    COVERED = "covered"
    WITHDRAWN = "withdrawn"
    """The payment was undone before its receipt was sent."""
    SKIPPED = "skipped"


class Reason(StrEnum):
    """Why a receipt is held, covered or skipped."""

    # held: a person decides
    NO_DOCUMENT = "no_document"
    NO_RECIPIENT = "no_recipient"
    CONFIRM_RECIPIENT = "confirm_recipient"
    SHARED_ADDRESS = "shared_address"
    PAYMENT_CHANGED = "payment_changed"
    UNREADABLE_DOCUMENT = "unreadable_document"
    DOCUMENT_HOST = "document_host"
    MAYBE_BEFORE_CONNECTION = "before_connection?"
    """An old payment was edited after the connection."""
    MAYBE_RECREATED = "recreated?"
    """A payment like it vanished whose mail may or may not have arrived, or that had another amount or date."""
    UNDELIVERABLE = "undeliverable"
    """Every attempt ended in a temporary failure."""
    REFUSED_CONTENT = "refused_content"
    INTERNAL = "internal"
    """Five unexpected errors of this one receipt."""
    # covered: another mail was this receipt
    SAME_DOCUMENT = "same_document"
    RECREATED = "recreated"
    # skipped: no mail is owed
    BEFORE_CONNECTION = "before_connection"
    NOT_A_PAYMENT = "not_a_payment"
    NO_MAIL = "no_mail"
    BY_PERSON = "by_person"


HELD_REASONS = frozenset(
    {
        Reason.NO_DOCUMENT,
        Reason.NO_RECIPIENT,
        Reason.CONFIRM_RECIPIENT,
        Reason.SHARED_ADDRESS,
        Reason.PAYMENT_CHANGED,
        Reason.UNREADABLE_DOCUMENT,
        Reason.DOCUMENT_HOST,
        Reason.MAYBE_BEFORE_CONNECTION,
        Reason.MAYBE_RECREATED,
        Reason.UNDELIVERABLE,
        Reason.REFUSED_CONTENT,
        Reason.INTERNAL,
    }
)

ENDED = frozenset({ReceiptState.SENT, ReceiptState.COVERED, ReceiptState.WITHDRAWN, ReceiptState.SKIPPED})
"""States that nothing leaves by itself."""


class After(StrEnum):
    """What happened to a payment after its receipt was sent."""

    CHANGED = "changed"
    UNDONE = "undone"


class DeliveryState(StrEnum):
    """Where the delivery to one address is."""

    READY = "ready"
    """Due at ``due_ms``: never tried, or tried and refused for a while."""
    SENDING = "sending"
    """Claimed; judged by nobody before its deadline and a minute."""
    SENT = "sent"
    """The mail server accepted it: nobody can promise more."""
    UNKNOWN = "unknown"
    REFUSED = "refused"
    HELD = "held"
    CANCELLED = "cancelled"
    """Taken back before anyone claimed it."""


class DeliveryPhase(StrEnum):
    """How far a claimed delivery has gone: after TERMINATING the mail server may accept it at any time."""

    CLAIMED = "claimed"
    TERMINATING = "terminating"


@dataclass(frozen=True, kw_only=True, slots=True)
class Company:
    """One clinic, connected once; a reconnection finds this row again."""

    id: CompanyId
    status: CompanyStatus
    document: str
    """CNPJ or CPF, digits only. Personal: encrypted in the row."""
    name: str
    """Personal where the company is a person: encrypted in the row."""
    policy: DocumentPolicy = DocumentPolicy.ERP
    connected_ms: UnixMs = UnixMs(0)
    baseline_ms: UnixMs = UnixMs(0)
    """The bound fixed before the baseline is listed; a payment booked after it is new."""
    contact: str = ""
    """Address of the clinic's office. Personal: encrypted in the row."""
    route_family: str = ""
    """Which of the API's two route families the probe chose; empty until then."""
    span_days: int = 365
    """The widest span of due dates that the probe saw the API take."""
    status_ms: UnixMs = UnixMs(0)
    version: Version = field(default=UNSTORED, compare=False, repr=False)

    @property
    def is_person(self) -> bool:
        """A CPF has 11 digits: Receita Saúde applies, so no document of our own."""
        return len(self.document) == 11  # noqa: PLR2004 -- digits of a CPF


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """One payment, and our duty to mail its receipt once."""

    company: CompanyId
    baixa: BaixaId
    instalment: InstalmentId
    customer: CustomerId
    customer_name: str
    """Personal: encrypted in the row."""
    amount: Centavos
    """What the payer paid."""
    paid_on: str
    revision: int
    """``versao`` of the baixa when it was last read."""
    state: ReceiptState
    reason: Reason | None = None
    after: After | None = None
    gone: bool = False
    """The baixa no longer exists."""
    frozen: bool = False
    """Restored from a backup and not yet held against the send log: never claimed."""
    found_ms: UnixMs
    changed_ms: UnixMs
    due_ms: UnixMs
    """When the lane looks at it next; meaningless once it has ended or is held."""
    asks: int = 0
    """How often its document was asked for in vain."""
    faults: int = 0
    """Unexpected errors, and steps that took too long, in a row."""
    document_sha256: str = ""
    document_source: str = ""
    """``erp`` or ``own``; empty before there is one."""
    decided_by: str = ""
    emptied_ms: UnixMs = UnixMs(0)
    """When its personal columns were emptied because their time was over; 0: they are as they were read."""
    flagged_ms: UnixMs = UnixMs(0)
    """When ``after`` was set, until a person answers it; 0: nobody is asked."""
    now_is: PaymentTerms = NO_TERMS
    """What a payment that was changed after its mail is now. Personal: encrypted in the row."""
    correction: int = 0
    """The number of the last correction that was ordered."""
    was_mailed: PaymentTerms = NO_TERMS
    """What the mail before says, while a correction is on its way. Personal: encrypted in the row."""
    was_sha256: str = ""
    was_source: str = ""
    version: Version = field(default=UNSTORED, compare=False, repr=False)

    @property
    def key(self) -> PaymentKey:
        return PaymentKey(self.company, self.baixa)

    @property
    def terms(self) -> PaymentTerms:
        return PaymentTerms(
            amount=self.amount, paid_on=self.paid_on, customer=self.customer, customer_name=self.customer_name
        )

    def with_terms(self, terms: PaymentTerms) -> Receipt:
        """Return this receipt as one of a payment that is *terms*."""
        return replace(self, **asdict(terms))


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One mail of one receipt to one address. Every attempt of one revision is the same bytes."""

    company: CompanyId
    baixa: BaixaId
    kind: str
    """``receipt``, ``correction-1``, ``resend-1``, ``test``: another kind is another mail, by a person's word."""
    number: int
    """Which of the receipt's addresses, counted from 1."""
    address: str
    """Personal: encrypted in the row."""
    address_index: str
    """Blind index of the address: finds a suppressed or shared address without decrypting."""
    state: DeliveryState
    due_ms: UnixMs
    attempt: int = 0
    owner: str = ""
    """Token of the worker that claimed it; the send log's records carry the same."""
    attempt_deadline_ms: UnixMs = UnixMs(0)
    phase: DeliveryPhase | None = None
    frozen: bool = False
    revision: int = 1
    """Rises when document or address become others: then Message-ID, Date and bytes are others too."""
    message_id: str = ""
    date_ms: UnixMs = UnixMs(0)
    boundary: str = ""
    template: str = ""
    operation_id: str = ""
    """Of Azure Communication Services, stored before the request."""
    reply: str = ""
    """What the mail server said last, without addresses."""
    tried_ms: UnixMs = UnixMs(0)
    sent_ms: UnixMs = UnixMs(0)
    refused_epoch: int = 0
    """The sender's epoch when it was last refused for a cause that may not be its own; 0: no such refusal is open."""
    counted: int = 0
    """Such refusals after which the server accepted something else: the second holds the delivery."""
    faults: int = 0
    """Steps in a row that took too long, and unexpected errors."""
    reason: Reason | None = None
    """Why it is held."""
    decided_by: str = ""
    """Who said what becomes of it after its outcome was unknown."""
    customer: CustomerId = NO_TERMS.customer
    """Whose mail it is; empty in rows of versions before, and where only the send log knows it."""
    said: PaymentTerms = NO_TERMS
    """What it said, by the send log, where a restore put back a row from before the mail; without the payer's name."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)

    @property
    def payment(self) -> PaymentKey:
        return PaymentKey(self.company, self.baixa)


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentOwner:
    """Which payment a document was mailed for first; the document itself is never stored."""

    sha256: str
    baixa: BaixaId
    customer: CustomerId
    version: Version = field(default=UNSTORED, compare=False, repr=False)
