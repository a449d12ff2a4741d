"""
The columns of each row. Names are written out: a field may be renamed, a stored row stays readable.

Columns that hold a person's data or a token are sealed: see ``sealing``. Columns that came later have a value for
rows without them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from foundation.clock import UnixMs
from foundation.tablestore.codec import Codec, Column, FieldKind, Record, flag, number, text, word
from payflow.access import Access, Ask
from payflow.connection import Invitation, SignIn, Token
from payflow.days import Day
from payflow.ledger.terms import said_column, terms_column
from payflow.model import CompanyId
from payflow.payers import Mailbox, PayerMapping
from payflow.progress import Cursor, Entry, Instalment, LookKind
from payflow.sealing import Sealer
from payflow.state import (
    After,
    Company,
    CompanyStatus,
    Delivery,
    DeliveryPhase,
    DeliveryState,
    DocumentOwner,
    DocumentPolicy,
    Reason,
    Receipt,
    ReceiptState,
)

_Sealed = Callable[[str], Column]

SEALED: Final = frozenset(
    {
        "document",
        "name",
        "contact",
        "customer_name",
        "address",
        "addresses",
        "access",
        "refresh",
        "now_is",
        "was_mailed",
    }
)
"""Every sealed column of every row, by name: what a change of keys goes through."""

ENTRY = Record(
    Entry,
    (
        text("company"),
        number("next_due_ms"),
        number("looked_ms", missing=0),
        word("status", CompanyStatus),
    ),
)
ENTRIES = Codec([ENTRY])
"""The partition of all companies: nothing in it is sealed."""


def codec(company: CompanyId, sealer: Sealer) -> Codec:
    """Return the records of one company's partition."""
    sealed = _sealing(company, sealer)
    return Codec(
        [
            _company(sealed),
            _token(sealed),
            _CURSOR,
            _instalment(sealed),
            _receipt(company, sealer),
            _delivery(sealed),
            _DOCUMENT,
            _payer(company, sealer),
            _MAILBOX,
            _DAY,
        ]
    )


def oauth_codec(sealer: Sealer) -> Codec:
    """Return the records of who signs in: invitations and sign-ins of no company yet, and the office's page."""
    return Codec([_invitation(_sealing(CompanyId(""), sealer)), _SIGN_IN, _ACCESS])


def _sealing(company: CompanyId, sealer: Sealer) -> _Sealed:
    def sealed(name: str) -> Column:
        kind = FieldKind(
            str,
            lambda value: sealer.seal(company, name, value),
            lambda stored: sealer.open(company, name, stored),
        )
        return Column(name, kind, name)

    return sealed


def _in_lines(name: str, write: Callable[[Any], str], read: Callable[[str], object]) -> Column:
    """Return a column of several values, one a line."""
    kind = FieldKind(
        str,
        lambda values: "\n".join(map(write, values)),
        lambda stored: tuple(map(read, filter(None, stored.split("\n")))),
    )
    return Column(name, kind, name)


def _invitation(sealed: _Sealed) -> Record:
    columns = (text("digest"), sealed("document"), text("company"), number("expires_ms"), text("made_by"))
    return Record(Invitation, columns)


_SIGN_IN = Record(
    SignIn,
    (
        text("digest"),
        text("invitation"),
        text("browser"),
        number("expires_ms"),
        text("result"),
        text("office", missing=""),
    ),
)

_ACCESS = Record(
    Access,
    (
        number("epoch"),
        _in_lines("asks", lambda ask: ask.line(), Ask.of),
        _in_lines("asked", str, lambda line: UnixMs(int(line))),
        number("digest_ms"),
        number("digest_tried_ms"),
        number("paused_ms"),
    ),
)


def _company(sealed: _Sealed) -> Record:
    columns = (
        text("id_empresa", "id"),
        word("status", CompanyStatus),
        sealed("document"),
        sealed("name"),
        word("policy", DocumentPolicy),
        number("connected_ms"),
        number("baseline_ms"),
        sealed("contact"),
        text("route_family"),
        number("span_days", missing=365),
        number("status_ms"),
    )
    return Record(Company, columns)


def _token(sealed: _Sealed) -> Record:
    columns = (
        number("generation"),
        sealed("access"),
        sealed("refresh"),
        number("expires_ms"),
        text("refreshing"),
        number("refreshing_ms"),
        number("refused_ms"),
        number("saved_ms", missing=0),
    )
    return Record(Token, columns)


def _payer(company: CompanyId, sealer: Sealer) -> Record:
    """One sealed column holds all addresses, one a line."""
    name = "addresses"
    lines = FieldKind(
        str,
        lambda value: sealer.seal(company, name, "\n".join(value)),
        lambda stored: tuple(filter(None, sealer.open(company, name, stored).split("\n"))),
    )
    return Record(
        PayerMapping,
        (Column(name, lines, name), flag("no_mail"), number("no_mail_ms"), text("language"), text("decided_by")),
    )


_MAILBOX = Record(Mailbox, (text("suppressed"), flag("confirmed"), number("changed_ms"), text("decided_by")))

_DOCUMENT = Record(DocumentOwner, (text("sha256"), text("baixa"), text("customer")))

_DAY = Record(Day, (text("day"), number("sent"), number("failed"), _in_lines("waited", str, int)))

_CURSOR = Record(
    Cursor,
    (
        number("upper_ms"),
        word("kind", LookKind, missing=None),
        number("look_lower_ms"),
        number("look_upper_ms"),
        number("span"),
        flag("disturbed"),
        number("outage_from_ms"),
        number("all_changes_ms"),
        number("paid_ms"),
        number("check_ms"),
        number("took_ms", missing=0),
    ),
)


def _instalment(sealed: _Sealed) -> Record:
    columns = (
        text("instalment", "id"),
        text("data_alteracao", "changed"),
        number("pago", "paid"),
        flag("worked"),
        text("customer"),
        sealed("customer_name"),
        flag("in_baseline"),
        number("reads"),
    )
    return Record(Instalment, columns)


def _receipt(company: CompanyId, sealer: Sealer) -> Record:
    sealed = _sealing(company, sealer)
    columns = (
        text("company"),
        text("baixa"),
        text("instalment"),
        text("customer"),
        sealed("customer_name"),
        number("amount_centavos", "amount"),
        text("paid_on"),
        number("versao", "revision"),
        word("state", ReceiptState),
        word("reason", Reason, missing=None),
        word("after", After, missing=None),
        flag("gone"),
        flag("frozen"),
        number("found_ms"),
        number("changed_ms"),
        number("due_ms"),
        number("asks"),
        number("faults"),
        text("document_sha256"),
        text("document_source"),
        text("decided_by"),
        number("emptied_ms", missing=0),
        number("flagged_ms", missing=0),
        terms_column(company, sealer, "now_is"),
        number("correction", missing=0),
        terms_column(company, sealer, "was_mailed"),
        text("was_sha256", missing=""),
        text("was_source", missing=""),
    )
    return Record(Receipt, columns)


def _delivery(sealed: _Sealed) -> Record:
    columns = (
        text("company"),
        text("baixa"),
        text("kind"),
        number("number"),
        sealed("address"),
        text("address_index"),
        word("state", DeliveryState),
        number("due_ms"),
        number("attempt"),
        text("claimed_by", "owner"),  # ``owner`` is the column of the group that wrote the row
        number("attempt_deadline_ms"),
        word("phase", DeliveryPhase, missing=None),
        flag("frozen"),
        number("revision"),
        text("message_id"),
        number("date_ms"),
        text("boundary"),
        text("template"),
        text("operation_id"),
        text("reply"),
        number("tried_ms"),
        number("sent_ms"),
        number("refused_epoch"),
        number("counted"),
        number("faults"),
        word("reason", Reason, missing=None),
        text("decided_by"),
        text("customer", missing=""),
        said_column(),
    )
    return Record(Delivery, columns)
