"""
What PayFlow keeps: companies, tokens, cursors, instalments as last worked, receipts, deliveries.

A row never says what to do; it says what is known. ``version`` is the ETag of the row a value was read from, and no
part of what the value is. Values of the enumerations are stored: they are promises and never change.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from foundation.clock import UnixMs
from foundation.tablestore.ports import UNSTORED, Version
from payflow.model import BaixaId, Centavos, CompanyId, CustomerId, InstalmentId, PaymentKey


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
    """Refused for ever, and about this address."""
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
class Instalment:
    """An instalment as it was when its payments were last read."""

    id: InstalmentId
    changed: str
    """``data_alteracao`` of the list, as a text."""
    paid: Centavos
    """``pago`` of the list."""
    worked: bool
    """The payments that were read add up to ``paid``; if not, it is read again."""
    customer: CustomerId
    customer_name: str
    """Personal: encrypted in the row."""
    in_baseline: bool
    reads: int = 0
    """How often in a row the payments did not add up."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)


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
    version: Version = field(default=UNSTORED, compare=False, repr=False)

    @property
    def key(self) -> PaymentKey:
        return PaymentKey(self.company, self.baixa)


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
    version: Version = field(default=UNSTORED, compare=False, repr=False)

    @property
    def payment(self) -> PaymentKey:
        return PaymentKey(self.company, self.baixa)


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """The connection of one company. Every renewal gives a new refresh token and ends the old one."""

    generation: int
    """Rises with each renewal and each reconnection; a higher one is always the right one."""
    access: str = field(repr=False)
    """Sealed in the row."""
    refresh: str = field(repr=False)
    """Sealed in the row."""
    expires_ms: UnixMs
    """When the access token ends."""
    refreshing: str = ""
    """The mark of the worker that asks for a renewal; it spares requests and is not what keeps the token."""
    refreshing_ms: UnixMs = UnixMs(0)
    refused_ms: UnixMs = UnixMs(0)
    """When Conta Azul first called this refresh token invalid; 0 if it never did."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)


class LookKind(StrEnum):
    """Why instalments are listed."""

    BASELINE = "baseline"
    """Once, when a company connects: what was paid before."""
    CHANGES = "changes"
    """Each polling interval: due within 400 days of today."""
    ALL_CHANGES = "all_changes"
    """Each hour: the same, whatever the due date."""
    PAID = "paid"
    """Each hour: paid in the last seven days."""
    CHECK = "check"
    """Each night: every instalment's ``pago`` against its row."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """How far looking has come; a look in progress is resumed at its span."""

    upper_ms: UnixMs = UnixMs(0)
    """Upper bound of the last complete look for changes."""
    kind: LookKind | None = None
    """The look in progress; None between two looks."""
    look_lower_ms: UnixMs = UnixMs(0)
    look_upper_ms: UnixMs = UnixMs(0)
    span: int = 0
    """Which of its spans is next."""
    disturbed: bool = False
    """The last look for changes had more passes than one that adds nothing, or was cut: look back further."""
    outage_from_ms: UnixMs = UnixMs(0)
    """The upper bound before an outage; 0 once a look after it was undisturbed."""
    all_changes_ms: UnixMs = UnixMs(0)
    paid_ms: UnixMs = UnixMs(0)
    check_ms: UnixMs = UnixMs(0)
    """When the last look of each kind was complete."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A company as the timer sees it, in the partition of all companies."""

    company: CompanyId
    next_due_ms: UnixMs
    """When its lane must run next: may be early, never late."""
    looked_ms: UnixMs = UnixMs(0)
    """When the last look was complete."""
    status: CompanyStatus
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Invitation:
    """A link for one clinic to connect with; only its hash is stored."""

    digest: str
    document: str
    """The CNPJ or CPF that must sign in, digits only; empty: the operator confirms afterwards. Sealed in the row."""
    company: str
    """``id_empresa`` that must sign in again, for a reconnection; empty for a new company."""
    expires_ms: UnixMs
    made_by: str
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class SignIn:
    """One sign-in that was begun: its ``state``, the browser it belongs to, and what came of it."""

    digest: str
    invitation: str
    """Digest of its invitation."""
    browser: str
    """Digest of the cookie that was given to the browser."""
    expires_ms: UnixMs
    result: str = ""
    """Empty until the state is consumed, which happens before the code is exchanged."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentOwner:
    """Which payment a document was mailed for first; the document itself is never stored."""

    sha256: str
    baixa: BaixaId
    customer: CustomerId
    version: Version = field(default=UNSTORED, compare=False, repr=False)
