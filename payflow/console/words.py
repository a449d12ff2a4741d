"""What states mean to an operator; the codes stand beside them, as the commands and the papers have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from payflow.office.language import N_
from payflow.state import CompanyStatus, ReceiptState

STATES: Final[Mapping[ReceiptState, str]] = {
    ReceiptState.FOUND: N_("Found, on its way"),
    ReceiptState.WAITING_DOCUMENT: N_("Waiting for Conta Azul's receipt"),
    ReceiptState.READY: N_("Found, on its way"),
    ReceiptState.SENDING: N_("Being sent"),
    ReceiptState.UNKNOWN: N_("Nobody knows whether it arrived"),
    ReceiptState.SENT: N_("Sent"),
    ReceiptState.REFUSED: N_("The address does not work"),
    ReceiptState.HELD: N_("Waiting for a person"),
    ReceiptState.COVERED: N_("Ended: another mail was this receipt"),
    ReceiptState.WITHDRAWN: N_("Ended: the payment was undone before its receipt was sent"),
    ReceiptState.SKIPPED: N_("Ended without a mail"),
}
STATUSES: Final[Mapping[CompanyStatus, str]] = {
    CompanyStatus.CONFIRM: N_("Compare name and document, then confirm"),
    CompanyStatus.ACTIVE: N_("Served"),
    CompanyStatus.NEEDS_RECONNECT: N_("The clinic must connect again"),
    CompanyStatus.BLOCKED_PLAN: N_("The clinic's plan at Conta Azul has no API"),
    CompanyStatus.PAUSED: N_("Paused"),
    CompanyStatus.ELSEWHERE: N_("Another deployment serves it"),
    CompanyStatus.DISCONNECTED: N_("Disconnected"),
}
