"""
What Conta Azul shows: companies, instalments (*parcelas*), payments (*baixas*), attachments, people.

Everything is frozen and keyword-only. Money is an ``int`` of centavos; a date is an ISO text without time, as the
API gives it; a moment is milliseconds of UTC. What PayFlow itself keeps about a payment is in ``state``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple, NewType

from foundation.clock import UnixMs

Centavos = NewType("Centavos", int)
"""Smallest unit of the real."""

CompanyId = NewType("CompanyId", str)
"""``id_empresa`` of Conta Azul: the tenant. It survives a reconnection, which a user or a token does not."""

InstalmentId = NewType("InstalmentId", str)
BaixaId = NewType("BaixaId", str)
CustomerId = NewType("CustomerId", str)


class PaymentKey(NamedTuple):
    """Which payment this is. No URL, file name or address is part of it, because those change."""

    company: CompanyId
    baixa: BaixaId

    def __str__(self) -> str:
        return f"{self.company}:{self.baixa}"


@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentTerms:
    """What a mail says of a payment, and whose it is. Empty: nothing."""

    amount: Centavos = Centavos(0)
    paid_on: str = ""
    customer: CustomerId = CustomerId("")
    customer_name: str = ""

    def __bool__(self) -> bool:
        return bool(self.paid_on)

    def without_names(self) -> PaymentTerms:
        """Return them without the payer's name: what was paid and when stays in the books."""
        return replace(self, customer_name="")


NO_TERMS: Final = PaymentTerms()


class DocumentKind(StrEnum):
    """``tipo_anexo`` of the attachments that may be a receipt; every other kind is left alone."""

    DIGITAL_RECEIPT = "RECIBO_DIGITAL"
    RECEIPT = "RECIBO"


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """The company a token belongs to (``conta-conectada``)."""

    company: CompanyId
    document: str
    """CNPJ or CPF, digits only."""
    legal_name: str
    trade_name: str
    email: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Customer:
    """The *cliente* of a receivable as the list shows it; both are empty for an internal entry."""

    id: CustomerId
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedInstalment:
    """An instalment in the answer of a search: no payments and no attachments, only how much is paid in all."""

    id: InstalmentId
    changed: str
    """``data_alteracao`` exactly as given: compared for equality, never for order."""
    paid: Centavos
    customer: Customer
    description: str
    due_on: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Composition:
    """What a payment is made of. What the payer paid is ``gross + fine + interest - discount``."""

    gross: Centavos
    fine: Centavos = Centavos(0)
    interest: Centavos = Centavos(0)
    discount: Centavos = Centavos(0)
    fee: Centavos = Centavos(0)
    """What the bank kept from the clinic; it is no part of what the payer paid."""

    @property
    def paid(self) -> Centavos:
        return Centavos(self.gross + self.fine + self.interest - self.discount)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A file of a payment or of its instalment. ``url`` may be signed, and then it changes with each answer."""

    id: str
    name: str
    url: str
    kind: str
    """``tipo_anexo``: see DocumentKind."""
    is_file: bool
    """``tipo_conteudo`` is FILE; a URL is only a link that a person once typed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Baixa:
    """One payment of one instalment: the unit of a receipt."""

    id: BaixaId
    instalment: InstalmentId
    revision: int
    """``versao``: rises with each edit; the id stays."""
    paid_on: str
    composition: Composition
    method: str
    updated_ms: UnixMs | None
    """``atualizado_em``; None when the answer has none."""
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class InstalmentDetail:
    """An instalment with its payments, as one request shows them together."""

    id: InstalmentId
    baixas: tuple[Baixa, ...]
    attachments: tuple[Attachment, ...] = ()
    is_income: bool = True
    """``evento.tipo`` is RECEITA: money the clinic received."""
    customer: Customer | None = None
    """Whether the API gives it here is not known; the list's is used first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """A customer with the addresses Conta Azul knows."""

    id: CustomerId
    name: str
    document: str
    """CNPJ or CPF, digits only; empty when unknown."""
    emails: tuple[str, ...]
    """``email``, split at its commas: as typed, not yet judged."""
    billing_emails: tuple[str, ...]
    """``contato_cobranca_faturamento.emails``."""
    other_contacts: tuple[tuple[str, str], ...] = ()
    """``outros_contatos`` as (name, address): offered to a person, never used alone."""
    is_company: bool = False
