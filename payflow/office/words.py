"""What each thing that waits means to an office, and what can be done about it there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from payflow.office.language import N_
from payflow.state import After, DeliveryState, Reason, ReceiptState

UNKNOWN, REFUSED = str(ReceiptState.UNKNOWN), str(ReceiptState.REFUSED)
WAITING_DOCUMENT: Final = str(ReceiptState.WAITING_DOCUMENT)


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """One reason: its title, what it means, and the acts that end it, the likely one first."""

    title: str
    meaning: str
    acts: tuple[str, ...] = ("release", "skip")


REASONS: Final[Mapping[str, Words]] = {
    UNKNOWN: Words(
        title=N_("Did it arrive?"),
        meaning=N_(
            "The mail server's answer was lost: nobody knows whether the receipt went out. Ask the payer. If it did "
            "not arrive, it can be sent again."
        ),
        acts=("arrived", "again", "skip"),
    ),
    REFUSED: Words(
        title=N_("The address does not work"),
        meaning=N_("The payer's mail server refused the address. Ask the payer for another one and send it there."),
        acts=("resend", "skip"),
    ),
    Reason.NO_RECIPIENT: Words(
        title=N_("No e-mail address"),
        meaning=N_(
            "The customer has no e-mail address in Conta Azul. Type one here, or in Conta Azul: there it is found "
            "within the hour."
        ),
        acts=("address", "no_mail", "skip"),
    ),
    Reason.CONFIRM_RECIPIENT: Words(
        title=N_("An address to confirm"),
        meaning=N_("It is not certain that the address is the payer's. Type the right one."),
        acts=("address", "no_mail", "skip"),
    ),
    Reason.SHARED_ADDRESS: Words(
        title=N_("An address that several customers share"),
        meaning=N_(
            "At least five customers have this address in Conta Azul, or it is the clinic's own. Type the payer's; it "
            "may be the same one."
        ),
        acts=("address", "no_mail", "skip"),
    ),
    WAITING_DOCUMENT: Words(
        title=N_("Waiting for Conta Azul's receipt"),
        meaning=N_(
            "The payment is booked and has no receipt in Conta Azul yet. Issue it there: it is found by itself. After "
            "three days you are asked."
        ),
        acts=("skip",),
    ),
    Reason.NO_DOCUMENT: Words(
        title=N_("No receipt in Conta Azul after three days"),
        meaning=N_(
            "Issue the receipt in Conta Azul, or attach a file of your own to the payment there, of the kind Recibo. "
            "Then look for it again."
        ),
    ),
    Reason.UNREADABLE_DOCUMENT: Words(
        title=N_("The receipt cannot be opened"),
        meaning=N_("The file in Conta Azul is no PDF that can be read, or it is locked. Replace it, then look again."),
    ),
    Reason.DOCUMENT_HOST: Words(
        title=N_("The receipt is at an address that is not allowed"),
        meaning=N_("The file lies outside Conta Azul. Attach the file itself in Conta Azul, then look again."),
    ),
    Reason.PAYMENT_CHANGED: Words(
        title=N_("The payment or its receipt has changed"),
        meaning=N_("It was edited while its receipt was being sent. Look at the payment in Conta Azul, then decide."),
    ),
    Reason.MAYBE_BEFORE_CONNECTION: Words(
        title=N_("An old payment that was edited"),
        meaning=N_("The payment may be older than the connection, and its receipt may have been given already."),
    ),
    Reason.MAYBE_RECREATED: Words(
        title=N_("A payment that was undone and booked again"),
        meaning=N_(
            "A payment like this one was undone. Its receipt may have gone out, perhaps with another amount or date."
        ),
    ),
    Reason.SAME_DOCUMENT: Words(
        title=N_("The same file as another customer's receipt"),
        meaning=N_("The file was mailed to another customer. Look in Conta Azul whether it is the right one."),
    ),
    After.CHANGED: Words(
        title=N_("Changed after its receipt was mailed"),
        meaning=N_(
            "The payer has a receipt with what the payment was. Send a correction, or say that none is needed, for "
            "instance because the payer knows."
        ),
        acts=("correct", "no_correction"),
    ),
    After.UNDONE: Words(
        title=N_("Undone after its receipt was mailed"),
        meaning=N_(
            "The payer has a receipt for a payment that is gone. If it was booked again, nothing more is needed. Else "
            "tell the payer: there is no payment left of which a receipt could be mailed."
        ),
        acts=("no_correction",),
    ),
    Reason.UNDELIVERABLE: Words(
        title=N_("The payer's mail server never took it"),
        meaning=N_("Every attempt of a day and a half was put off. Nothing arrived."),
    ),
    Reason.REFUSED_CONTENT: Words(
        title=N_("The mail server refuses this message"),
        meaning=N_("The message was refused twice. Nothing arrived. Perhaps the file is too large."),
    ),
    Reason.INTERNAL: Words(
        title=N_("It failed five times"),
        meaning=N_("An error of the program. The operator knows of it; you can try again."),
    ),
}
"""In the order in which they are shown."""

STATES: Final[Mapping[str, str]] = {
    ReceiptState.FOUND: N_("Found, on its way"),
    ReceiptState.WAITING_DOCUMENT: N_("Waiting for Conta Azul's receipt"),
    ReceiptState.READY: N_("Found, on its way"),
    ReceiptState.SENDING: N_("Being sent"),
    ReceiptState.UNKNOWN: N_("Did it arrive?"),
    ReceiptState.SENT: N_("Sent"),
    ReceiptState.REFUSED: N_("The address does not work"),
    ReceiptState.HELD: N_("Waiting for you"),
    ReceiptState.COVERED: N_("Ended: another mail was this receipt"),
    ReceiptState.WITHDRAWN: N_("Ended: the payment was undone before its receipt was sent"),
    ReceiptState.SKIPPED: N_("Ended without a mail"),
}
MAILS: Final[Mapping[str, str]] = {
    DeliveryState.READY: N_("Being sent"),
    DeliveryState.SENDING: N_("Being sent"),
    DeliveryState.SENT: N_("Sent"),
    DeliveryState.UNKNOWN: N_("Did it arrive?"),
    DeliveryState.REFUSED: N_("Refused"),
    DeliveryState.HELD: N_("Not accepted"),
    DeliveryState.CANCELLED: N_("Taken back"),
}
