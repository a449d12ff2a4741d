"""
What an office can do: each act in plain words, and the action that it is.

What can make a payer get a second mail says so before the button.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from foundation.clock import UnixMs
from foundation.errors import Contention, Rejected
from payflow.access import Access
from payflow.delivery import rules
from payflow.delivery.manual_actions import PAUSABLE, ManualActions
from payflow.model import CustomerId
from payflow.office.language import N_
from payflow.office.views import ReceiptView
from payflow.state import Company, CompanyStatus, DocumentPolicy, Reason

MARKED_MAX: Final = 50
"""Receipts that one form acts on: an answer must not take longer than a browser waits."""


class OfficeSubject(StrEnum):
    """What an act is about."""

    RECEIPTS = "receipts"
    CUSTOMER = "customer"
    """Receipts of one customer, who is mailed at one address."""
    COMPANY = "company"


@dataclass(frozen=True, kw_only=True, slots=True)
class OfficeAct:
    """One act."""

    label: str
    """The words of its button."""
    meaning: str
    """What it would do."""
    about: OfficeSubject = OfficeSubject.RECEIPTS
    twice: str = ""
    """How a payer might get a second mail by it; empty where none can."""
    wants_address: bool = False


ACTS: Final[Mapping[str, OfficeAct]] = {
    "release": OfficeAct(
        label=N_("Go on"),
        meaning=N_("The receipt begins anew: payment, file and address are looked for again, and then it is mailed."),
        twice=N_(
            "If this payer has got this receipt in another way, or by an earlier payment, they get it a second time."
        ),
    ),
    "skip": OfficeAct(
        label=N_("Do not send"),
        meaning=N_("No mail goes out for this payment. You can still have it sent later."),
    ),
    "arrived": OfficeAct(
        label=N_("It arrived"),
        meaning=N_("You know that the payer has the mail. It counts as sent, and nothing more goes out."),
    ),
    "again": OfficeAct(
        label=N_("Send again"),
        meaning=N_("The same receipt is mailed once more to the same address."),
        twice=N_("If the first mail did arrive, the payer gets two. Ask the payer first."),
    ),
    "resend": OfficeAct(
        label=N_("Send to an address"),
        meaning=N_(
            "The receipt is mailed to the address below. The customer's address for later receipts stays as it is."
        ),
        about=OfficeSubject.CUSTOMER,
        twice=N_("It is a further mail: who has got the receipt already gets it once more."),
        wants_address=True,
    ),
    "correct": OfficeAct(
        label=N_("Send a correction"),
        meaning=N_(
            "The payment is looked at again, and its receipt as it is now is mailed to the customer's addresses. The "
            "mail says which receipt it corrects and replaces."
        ),
        twice=N_("It is a further mail: who has got the receipt gets the correction as well."),
    ),
    "no_correction": OfficeAct(
        label=N_("No correction needed"),
        meaning=N_("Nothing is mailed. If the payment is changed once more, you are asked again."),
    ),
    "address": OfficeAct(
        label=N_("Give an address"),
        meaning=N_("From now on this customer's receipts go to the address below, and those that wait go on at once."),
        about=OfficeSubject.CUSTOMER,
        wants_address=True,
    ),
    "no_mail": OfficeAct(
        label=N_("This customer wants no receipts"),
        meaning=N_("The customer gets no receipts by e-mail from now on; those that wait end without a mail."),
        about=OfficeSubject.CUSTOMER,
    ),
    "own_documents": OfficeAct(
        label=N_("Use our own receipt where Conta Azul has none"),
        meaning=N_(
            "Two hours after a payment without a receipt in Conta Azul, the payer gets a proof of payment that is made "
            "here. It replaces neither a nota fiscal nor Receita Saúde."
        ),
        about=OfficeSubject.COMPANY,
    ),
    "pause": OfficeAct(
        label=N_("Pause"),
        meaning=N_("Nothing is looked for and nothing is mailed until you go on. Nothing is lost."),
        about=OfficeSubject.COMPANY,
    ),
    "resume": OfficeAct(
        label=N_("End the pause"),
        meaning=N_("What was booked meanwhile is found and mailed."),
        about=OfficeSubject.COMPANY,
    ),
    "reconnect": OfficeAct(
        label=N_("Connect to Conta Azul again"),
        meaning=N_("You sign in at Conta Azul with your clinic's user. The history stays."),
        about=OfficeSubject.COMPANY,
    ),
}

_DOUBTFUL: Final = frozenset(
    {
        Reason.PAYMENT_CHANGED,
        Reason.MAYBE_BEFORE_CONNECTION,
        Reason.MAYBE_RECREATED,
        Reason.SAME_DOCUMENT,
        Reason.RECREATED,
        Reason.BEFORE_CONNECTION,
        Reason.BY_PERSON,
    }
)
"""Reasons for which the payer may have the receipt already."""


class ActResult(StrEnum):
    """What came of an act about one receipt."""

    DONE = N_("Done.")
    CHANGED = N_("Not done: it has changed meanwhile. Look again.")
    REFUSED = N_("Not done: this is not possible now.")


@dataclass(frozen=True, kw_only=True, slots=True)
class ActReport:
    """What came of an act, receipt by receipt."""

    results: Sequence[tuple[ReceiptView, ActResult]]


def of_company(company: Company, access: Access) -> Sequence[str]:
    """Return the acts that a company's state allows. A pause that the operator began is the operator's to end."""
    found = ["pause"] if company.status in PAUSABLE else []
    if company.status is CompanyStatus.PAUSED and access.paused_ms == company.status_ms:
        found = ["resume"]
    if company.status is CompanyStatus.NEEDS_RECONNECT:
        found.append("reconnect")
    if company.policy is DocumentPolicy.ERP and not company.is_person:
        found.append("own_documents")
    return found


async def do(act: str, items: Sequence[ReceiptView], address: str, actions: ManualActions) -> ActReport:
    """Do *act* about each of *items*. Raises StoreUnavailable: then how far it came is not known."""
    if ACTS[act].about is OfficeSubject.CUSTOMER and act != "resend":
        result = await _told(_for_customer(act, items[0].receipt.customer, address, actions))
        return ActReport(results=[(item, result) for item in items])
    return ActReport(results=[(item, await _told(_for_receipt(act, item, address, actions))) for item in items])


async def _told(action: Awaitable[None]) -> ActResult:
    try:
        await action
    except Rejected:
        return ActResult.REFUSED
    except Contention:
        return ActResult.CHANGED
    return ActResult.DONE


async def _for_customer(act: str, customer: CustomerId, address: str, actions: ManualActions) -> None:
    if act == "address":
        await actions.give_address(customer, address)
    else:
        await actions.set_no_mail(customer, no_mail=True)


async def _for_receipt(act: str, item: ReceiptView, address: str, actions: ManualActions) -> None:
    baixa = item.receipt.baixa
    match act:
        case "release":
            await actions.release(baixa)
        case "skip":
            await actions.skip(baixa)
        case "correct":
            await actions.correct(baixa)
        case "no_correction":
            await actions.no_correction(baixa)
        case "resend":
            await actions.resend(baixa, address)
        case _:
            await _about_mails(actions.arrived if act == "arrived" else actions.again, item)


async def _about_mails(action: Callable[..., Awaitable[object]], item: ReceiptView) -> None:
    """Decide every mail of the receipt whose outcome is open. Raises Rejected where there is none."""
    if not item.undecided:
        raise Rejected("no mail of this receipt is undecided")
    for mail in item.undecided:
        await action(item.receipt.baixa, mail.kind, mail.number)


def warns(act: str, items: Sequence[ReceiptView]) -> str:
    """Return how *act* about *items* might mail a payer twice; empty where it cannot."""
    doubtful = act != "release" or any(item.receipt.reason in _DOUBTFUL for item in items)
    return ACTS[act].twice if doubtful else ""


def may(act: str, item: ReceiptView, now: UnixMs) -> bool:
    """Say whether *act* is offered for a receipt now; the action looks once more."""
    offered = _OFFERED.get(act)
    return offered is None or offered(item, now)


def _may_again(item: ReceiptView, now: UnixMs) -> bool:
    return not item.receipt.gone and now > item.again_ms and all(mail.address for mail in item.undecided)


def _may_resend(item: ReceiptView, _: UnixMs) -> bool:
    return not item.receipt.gone and not item.undecided


def _may_correct(item: ReceiptView, now: UnixMs) -> bool:
    return _may_resend(item, now) and not item.receipt.emptied_ms


_OFFERED: Final[Mapping[str, Callable[[ReceiptView, UnixMs], bool]]] = {
    "again": _may_again,
    "skip": lambda item, _: item.receipt.gone or rules.are_the_logs_alone(item.undecided),
    "release": lambda item, _: not item.receipt.gone,
    "resend": _may_resend,
    "correct": _may_correct,
    "no_correction": lambda item, _: bool(item.receipt.flagged_ms),
    "address": lambda item, _: bool(item.receipt.customer),
    "no_mail": lambda item, _: bool(item.receipt.customer),
}
"""Acts that not every receipt allows."""
