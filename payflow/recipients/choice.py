"""
Who gets a receipt: pure, and never a guess.

1. the map by customer id, which a person has confirmed
2. the billing contact of the customer in Conta Azul
3. the customer's own e-mail there
4. the map by name, only when exactly one person of that name is in the ERP; it becomes a map by id
5. held: no_recipient

``outros_contatos`` are only offered to a person who decides.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from foundation.clock import UnixMs
from payflow.model import CustomerId, Person
from payflow.recipients.addresses import mailable
from payflow.state import Reason

SHARED_BY: Final = 5
"""An address of so many customers is an office's or a placeholder: it is held once, and a person confirms it."""


class AddressSource(StrEnum):
    """Where the addresses come from."""

    MAP = "map"
    BILLING = "billing"
    EMAIL = "email"
    NAME = "name"


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipient:
    """The addresses of one receipt, or the reason why a person is asked."""

    addresses: tuple[str, ...] = ()
    source: AddressSource | None = None
    reason: Reason | None = None
    offered: tuple[tuple[str, str], ...] = ()
    """Other contacts as (name, address), for the person who decides."""
    language: str = "pt"
    """The customer's, ``pt`` or ``en``."""
    said_ms: UnixMs = UnixMs(0)
    """When a person said what ``reason`` is, where one did."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What PayFlow knows beside Conta Azul. ``customers_of`` counts the customers of one address."""

    by_customer: Mapping[CustomerId, Sequence[str]]
    by_name: Mapping[str, Sequence[str]]
    no_mail: frozenset[CustomerId] = frozenset()
    no_mail_ms: UnixMs = UnixMs(0)
    language: str = "pt"
    suppressed: Callable[[str], bool] = lambda _: False
    confirmed: Callable[[str], bool] = lambda _: False
    customers_of: Callable[[str], int] = lambda _: 1
    company_address: str = ""


def choose_recipients(customer: CustomerId, person: Person | None, known: Known, *, namesakes: int) -> Recipient:
    """
    Return who gets the receipt of *customer*, or why a person is asked.

    *namesakes* is how many people of that name are in the ERP, the customer among them; 0 when nobody has looked.
    """
    if customer in known.no_mail:
        return Recipient(reason=Reason.NO_MAIL, said_ms=known.no_mail_ms)
    for source, texts in _sources(customer, person, known, namesakes):
        addresses = tuple(address for address in mailable(texts) if not known.suppressed(address))
        if addresses:
            return _confirmed(Recipient(addresses=addresses, source=source, language=known.language), known)
    return Recipient(reason=Reason.NO_RECIPIENT, offered=person.other_contacts if person else ())


def name_key(name: str) -> str:
    """Return a name without accents, case, and repeated spaces: what the map by name is looked up by."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign))
    return " ".join(plain.casefold().split())


def _sources(
    customer: CustomerId, person: Person | None, known: Known, namesakes: int
) -> Sequence[tuple[AddressSource, Sequence[str]]]:
    found: list[tuple[AddressSource, Sequence[str]]] = [(AddressSource.MAP, known.by_customer.get(customer, ()))]
    if person is not None:
        found += [(AddressSource.BILLING, person.billing_emails), (AddressSource.EMAIL, person.emails)]
        if namesakes == 1:
            found.append((AddressSource.NAME, known.by_name.get(name_key(person.name), ())))
    return found


def _confirmed(found: Recipient, known: Known) -> Recipient:
    """Hold an address that many customers share, or that is the clinic's own, until a person has confirmed it."""
    if found.source is AddressSource.MAP:
        return found
    doubtful = [address for address in found.addresses if _is_doubtful(address, known)]
    return Recipient(reason=Reason.SHARED_ADDRESS, offered=tuple(("", one) for one in doubtful)) if doubtful else found


def _is_doubtful(address: str, known: Known) -> bool:
    if known.confirmed(address):
        return False
    own = address.casefold() == known.company_address.casefold()
    return own or known.customers_of(address) >= SHARED_BY
