"""
One company's books as its office keeps them: people, instalments, payments, documents.

The verbs are acts of the office (``pay``, ``undo``, ``edit``) or of Conta Azul itself (``attach``, which it does
late or never [I]). Money is centavos. What the API shows may be older than the books: see ``Lag``.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
"""Moments carry no offset and are in this zone [F]."""

Now = Callable[[], float]
"""Seconds since 1970."""


@dataclass(kw_only=True)
class Person:
    """A customer."""

    id: str
    name: str
    document: str = ""
    email: str = ""
    """May hold several, separated by commas [D]."""
    billing_emails: list[str] = field(default_factory=list)
    other_contacts: list[tuple[str, str]] = field(default_factory=list)
    is_company: bool = False
    active: bool = True


@dataclass(kw_only=True)
class File:
    """An attachment, and what its address serves."""

    id: str
    name: str
    kind: str
    content: bytes
    content_type: str = "FILE"
    """FILE or URL [D]."""
    media_type: str = "application/pdf"
    redirect_to: str = ""
    address: str = ""
    """Another address than the stand-in's own."""


@dataclass(kw_only=True)
class Payment:
    """A *baixa*. Its id outlives edits, which raise ``revision`` [F]."""

    id: str
    parcela: str
    paid_on: date
    gross: int
    fine: int = 0
    interest: int = 0
    discount: int = 0
    fee: int = 0
    method: str = "PIX_PAGAMENTO_INSTANTANEO"
    revision: int = 1
    updated: datetime
    files: list[File] = field(default_factory=list)

    @property
    def net(self) -> int:
        return self.gross + self.fine + self.interest - self.discount - self.fee


@dataclass(kw_only=True)
class Parcela:
    """An instalment. ``id`` of a search result is the instalment's id [D][F]."""

    id: str
    customer: Person | None
    description: str
    due: date
    total: int
    created: datetime
    changed: datetime
    payments: list[Payment] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    expense: bool = False

    counts: str = "gross"
    """What ``pago`` is the sum of where a payment has a discount or a fine: ``gross`` or ``net`` [?]."""

    @property
    def paid(self) -> int:
        return sum(int(getattr(payment, self.counts)) for payment in self.payments)


@dataclass(kw_only=True)
class Lag:
    """How far what the API shows is behind the books, in seconds; whether it ever is, is not known [?]."""

    list_s: float = 0.0
    detail_s: float = 0.0


class Books:
    """The books of one company."""

    def __init__(self, now: Now, *, company: str, document: str, name: str, email: str = "") -> None:
        self.company, self.document, self.name, self.email = company, document, name, email
        self.people: dict[str, Person] = {}
        self.parcelas: dict[str, Parcela] = {}
        self.lag = Lag()
        self.trial_ended = False
        self.silent_edits = False
        """An act leaves ``data_alteracao`` as it was [?]."""
        self._now = now
        self._deleted: set[str] = set()
        self._history: list[tuple[float, str, Any]] = []

    def local(self) -> datetime:
        """Return the time of São Paulo without an offset, as the API writes it."""
        return datetime.fromtimestamp(self._now(), SAO_PAULO).replace(tzinfo=None)

    # The office ----------------------------------------------------------------------------------

    def person(self, name: str, **fields: Any) -> Person:
        """Enter a customer."""
        person = Person(id=fields.pop("id", "") or str(uuid.uuid4()), name=name, **fields)
        self.people[person.id] = person
        return person

    def bill(self, customer: Person | None, total: int, *, due: date, description: str = "Consulta") -> Parcela:
        """Book a receivable with one instalment."""
        at = self.local()
        parcela = Parcela(
            id=str(uuid.uuid4()),
            customer=customer,
            description=description,
            due=due,
            total=total,
            created=at,
            changed=at,
        )
        self.parcelas[parcela.id] = parcela
        self._remember(parcela)
        return parcela

    def pay(self, parcela: Parcela, gross: int | None = None, *, paid_on: date | None = None, **parts: int) -> Payment:
        """Book a payment; without an amount, of what is open. Two halves are two payments [F]."""
        payment = Payment(
            id=str(uuid.uuid4()),
            parcela=parcela.id,
            paid_on=paid_on or self.local().date(),
            gross=parcela.total - parcela.paid if gross is None else gross,
            updated=self.local(),
            **parts,  # type: ignore[arg-type]
        )
        parcela.payments.append(payment)
        self._touch(parcela)
        return payment

    def undo(self, payment: Payment) -> None:
        """Delete a payment: the instalment goes back, and the payment answers 404 with an empty body [F]."""
        parcela = self.parcelas[payment.parcela]
        parcela.payments.remove(payment)
        self._deleted.add(payment.id)
        self._touch(parcela)

    def edit(self, payment: Payment, **changes: Any) -> None:
        """Change a payment in place: same id, ``versao`` one higher [F]."""
        for name, value in changes.items():
            setattr(payment, name, value)
        payment.revision += 1
        payment.updated = self.local()
        self._touch(self.parcelas[payment.parcela])

    def note(self, parcela: Parcela) -> None:
        """Save an instalment without changing it; that counts as a change too [D]."""
        self._touch(parcela)

    def attach(self, payment: Payment, content: bytes, *, kind: str = "RECIBO_DIGITAL", **fields: Any) -> File:
        """Let the document of a payment appear. ``data_alteracao`` stays; the real one may not [?]."""
        file = File(id=str(uuid.uuid4()), name=fields.pop("name", "recibo.pdf"), kind=kind, content=content, **fields)
        payment.files.append(file)
        self._remember(self.parcelas[payment.parcela])
        return file

    # What the API shows --------------------------------------------------------------------------

    def was_deleted(self, payment_id: str) -> bool:
        return payment_id in self._deleted

    def listed(self, parcela: Parcela) -> dict[str, Any] | None:
        """Return what the list shows of an instalment now; None when it does not show it yet."""
        return self._shown(parcela, self.lag.list_s)

    def detailed(self, parcela: Parcela) -> dict[str, Any] | None:
        """Return what the detail shows of an instalment now."""
        return self._shown(parcela, self.lag.detail_s)

    def file(self, file_id: str) -> File | None:
        """Return an attachment of any payment or instalment."""
        for parcela in self.parcelas.values():
            for file in (*parcela.files, *(file for payment in parcela.payments for file in payment.files)):
                if file.id == file_id:
                    return file
        return None

    def payment(self, payment_id: str) -> Payment | None:
        """Return a payment that was not undone."""
        for parcela in self.parcelas.values():
            for payment in parcela.payments:
                if payment.id == payment_id:
                    return payment
        return None

    def _touch(self, parcela: Parcela) -> None:
        if not self.silent_edits:
            parcela.changed = self.local()
        self._remember(parcela)

    def _remember(self, parcela: Parcela) -> None:
        if self.lag.list_s or self.lag.detail_s:
            self._history.append((self._now(), parcela.id, _state(parcela)))

    def _shown(self, parcela: Parcela, lag_s: float) -> dict[str, Any] | None:
        if not lag_s:
            return _state(parcela)
        seen = [state for at, of, state in self._history if of == parcela.id and at <= self._now() - lag_s]
        return seen[-1] if seen else None


def _state(parcela: Parcela) -> dict[str, Any]:
    payments = [{**vars(payment), "net": payment.net, "files": list(payment.files)} for payment in parcela.payments]
    return {**vars(parcela), "payments": payments, "paid": parcela.paid, "files": list(parcela.files)}
