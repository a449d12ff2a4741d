"""
What an operator can do on the console: each act is the action of the command line and of the office's page.

What is lost when it is judged wrongly is not among them: `disconnect`, `restore`, `purge`, `keys`, `migrate`. Nothing
here takes an address either: the pages show none whole. The pages show the commands for those, as lines to copy.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from foundation.clock import UnixMs
from foundation.errors import Rejected
from payflow.console.subjects import Subject
from payflow.delivery.manual_actions import PAUSABLE, ManualActions
from payflow.ledger import keys
from payflow.office import acts as office
from payflow.office.language import N_
from payflow.office.views import ReceiptView
from payflow.state import CompanyStatus, Delivery, Receipt, ReceiptState

Do = Callable[[ManualActions, Subject], Awaitable[object]]


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsoleAct:
    """One act: its name in addresses and forms, the words of its button, and what it does."""

    name: str
    label: str
    do: Do
    about_receipt: bool = True


async def _pause(actions: ManualActions, subject: Subject) -> None:
    if subject.company.status not in PAUSABLE:
        raise Rejected(f"a company that is {subject.company.status} cannot be paused")
    await actions.set_status(subject.company, CompanyStatus.PAUSED)


async def _resume(actions: ManualActions, subject: Subject) -> None:
    await _begin(actions, subject, CompanyStatus.PAUSED)


async def _confirm(actions: ManualActions, subject: Subject) -> None:
    await _begin(actions, subject, CompanyStatus.CONFIRM)


async def _begin(actions: ManualActions, subject: Subject, was: CompanyStatus) -> None:
    if subject.company.status is not was:
        raise Rejected(f"the company is {subject.company.status}")
    if await subject.lane.rows.get(keys.RESTORING):
        raise Rejected("a restore of this company was cut: run `restore` again first")
    await actions.set_status(subject.company, CompanyStatus.ACTIVE)


async def _release(actions: ManualActions, subject: Subject) -> None:
    await actions.release(_receipt(subject).baixa)


async def _skip(actions: ManualActions, subject: Subject) -> None:
    await actions.skip(_receipt(subject).baixa)


async def _resend(actions: ManualActions, subject: Subject) -> None:
    await actions.resend(_receipt(subject).baixa)


async def _correct(actions: ManualActions, subject: Subject) -> None:
    await actions.correct(_receipt(subject).baixa)


async def _no_correction(actions: ManualActions, subject: Subject) -> None:
    await actions.no_correction(_receipt(subject).baixa)


async def _no_mail(actions: ManualActions, subject: Subject) -> None:
    await actions.set_no_mail(_receipt(subject).customer, no_mail=True)


async def _arrived(actions: ManualActions, subject: Subject) -> None:
    for mail in _undecided(subject):
        await actions.arrived(mail.baixa, mail.kind, mail.number)


async def _again(actions: ManualActions, subject: Subject) -> None:
    for mail in _undecided(subject):
        await actions.again(mail.baixa, mail.kind, mail.number)


def _undecided(subject: Subject) -> Sequence[Delivery]:
    found = ReceiptView(receipt=_receipt(subject), mails=subject.mails).undecided
    if not found:
        raise Rejected("no mail of this receipt is undecided")
    return found


def _receipt(subject: Subject) -> Receipt:
    if subject.receipt is None:
        raise Rejected("this is about a receipt, and none was named")
    return subject.receipt


ACTS: Final[Mapping[str, ConsoleAct]] = {
    act.name: act
    for act in (
        ConsoleAct(name="pause", label=N_("Pause"), do=_pause, about_receipt=False),
        ConsoleAct(name="resume", label=N_("End the pause"), do=_resume, about_receipt=False),
        ConsoleAct(name="confirm", label=N_("Name and document are right"), do=_confirm, about_receipt=False),
        ConsoleAct(name="release", label=N_("Go on"), do=_release),
        ConsoleAct(name="skip", label=N_("Do not send"), do=_skip),
        ConsoleAct(name="arrived", label=N_("It arrived"), do=_arrived),
        ConsoleAct(name="again", label=N_("Send again"), do=_again),
        ConsoleAct(name="resend", label=N_("Send once more to the same address"), do=_resend),
        ConsoleAct(name="correct", label=N_("Send a correction"), do=_correct),
        ConsoleAct(name="no_correction", label=N_("No correction needed"), do=_no_correction),
        ConsoleAct(name="no_mail", label=N_("This customer wants no receipts"), do=_no_mail),
    )
}
_BY_STATUS: Final[Mapping[CompanyStatus, str]] = {
    **dict.fromkeys(PAUSABLE, "pause"),
    CompanyStatus.PAUSED: "resume",
    CompanyStatus.CONFIRM: "confirm",
}
_BY_STATE: Final[Mapping[ReceiptState, Sequence[str]]] = {
    ReceiptState.FOUND: ("skip",),
    ReceiptState.WAITING_DOCUMENT: ("skip",),
    ReceiptState.READY: ("skip",),
    ReceiptState.HELD: ("release", "skip", "no_mail"),
    ReceiptState.UNKNOWN: ("arrived", "again", "skip"),
    ReceiptState.REFUSED: ("resend", "skip", "no_mail"),
    ReceiptState.SENT: ("correct", "no_correction", "resend"),
    ReceiptState.COVERED: ("release",),
    ReceiptState.SKIPPED: ("release",),
}


def possible(subject: Subject, now: UnixMs) -> Sequence[str]:
    """Return the acts that the rows allow; the action looks once more."""
    if subject.receipt is None:
        name = _BY_STATUS.get(subject.company.status)
        return [name] if name else []
    item = ReceiptView(receipt=subject.receipt, mails=subject.mails)
    return [name for name in _BY_STATE.get(subject.receipt.state, ()) if office.may(name, item, now)]


def double_mail_warning(act: str, subject: Subject) -> str:
    """Return how an act might mail a payer twice; empty where it cannot."""
    if subject.receipt is None or act not in office.ACTS:
        return ""
    return office.warns(act, [ReceiptView(receipt=subject.receipt, mails=subject.mails)])
