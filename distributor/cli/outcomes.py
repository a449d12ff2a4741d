"""
How the commands end that act on a transaction, and the next step: the table of the runbook, in the program.

A command says the next step of its own outcome, so that nobody needs the table to go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from distributor.cli.context import DONE, REFUSED, CommandContext
from distributor.cli.language import N_, _
from distributor.payout.cancellation import Cancelled
from distributor.payout.corrected import Corrected
from distributor.payout.resolution import Resolved


class CommandOutcome(NamedTuple):
    """The exit code, and the next step."""

    code: int
    following: str


_USED = CommandOutcome(
    REFUSED, N_("The nonce is in a block. Look there, then `resolve` or `reopen` what it did not pay.")
)
_NOT_FINAL = CommandOutcome(
    REFUSED, N_("Wait until the block is final and deep enough on every node; then run the same command again.")
)
_DISAGREE = CommandOutcome(REFUSED, N_("Take the node that is wrong out of RPC_URL, then run the same command again."))
_ANOTHER_NONCE = CommandOutcome(REFUSED, N_("Name the transaction of that operator and nonce."))
_NEWER = CommandOutcome(REFUSED, N_("Use the newer version of the service that wrote the row."))
_ERASED = CommandOutcome(
    REFUSED, N_("Its data was erased: nobody can tell what it asked for. The shop sends a new order.")
)
_NOT_PAUSED = CommandOutcome(REFUSED, N_("`pause` first; then run the same command again."))
_RELEASED = N_("The order is held and free of its nonce: `retry` or `cancel` it.")
_IS_PAID = CommandOutcome(REFUSED, N_("There is nothing to do: the order is paid."))
_MOVED = CommandOutcome(REFUSED, N_("The guard has recorded another transaction as its payment: `settle` by that one."))

OUTCOMES: Final[Mapping[str, Mapping[StrEnum, CommandOutcome]]] = {
    "resubmit": {
        Corrected.SUBMITTED: CommandOutcome(DONE, N_("Settlement follows it; `order` shows where it is.")),
        Corrected.USED: _USED,
        Corrected.NOT_BOUND: CommandOutcome(
            REFUSED, N_("This ledger has no transaction with that nonce: `resolve` or `cancel-nonce` it.")
        ),
        Corrected.ERASED: CommandOutcome(
            REFUSED, N_("Its bytes were erased with the data of its orders: `pause`, then `rebuild` fills the nonce.")
        ),
    },
    "settle": {
        Corrected.PAID: CommandOutcome(DONE, N_("Done: the order is paid.")),
        Corrected.IS_PAID: _IS_PAID,
        Corrected.MOVED: _MOVED,
        Corrected.NOT_SHOWN: CommandOutcome(
            REFUSED, N_("The ledger calls it paid and the chain does not show it: `reopen` it first.")
        ),
        Corrected.NO_TRANSFER: CommandOutcome(
            REFUSED, N_("Find what paid the wallet and name that transaction. If nothing did, `retry` or `cancel`.")
        ),
        Corrected.ANOTHER_ORDER: CommandOutcome(
            REFUSED, N_("Each transfer pays one order: look at the order that it paid.")
        ),
        Corrected.ANOTHER_NONCE: _ANOTHER_NONCE,
        Corrected.NOT_FINAL: _NOT_FINAL,
        Corrected.NODES_DISAGREE: _DISAGREE,
        Corrected.ERASED: _ERASED,
        Corrected.NEWER: _NEWER,
    },
    "reopen": {
        Corrected.HELD: CommandOutcome(DONE, _RELEASED),
        Corrected.NOT_PAID: CommandOutcome(
            REFUSED, N_("Only a paid order is reopened; `retry` or `cancel` a held one.")
        ),
        Corrected.IS_PAID: _IS_PAID,
        Corrected.MOVED: _MOVED,
        Corrected.ANOTHER_PAYMENT: CommandOutcome(
            REFUSED,
            N_("Name the transaction that the order is marked as paid by: `order` shows it."),
        ),
        Corrected.RESUBMIT: CommandOutcome(
            REFUSED, N_("The nonce is not used: `resubmit` the stored bytes, and the order is paid after all.")
        ),
        Corrected.ANOTHER_NONCE: _ANOTHER_NONCE,
        Corrected.NOT_FINAL: _NOT_FINAL,
        Corrected.NODES_DISAGREE: _DISAGREE,
        Corrected.ERASED: _ERASED,
        Corrected.NEWER: _NEWER,
    },
    "resolve": {
        Resolved.PAID: CommandOutcome(DONE, N_("Done: that transaction paid the orders of the nonce.")),
        Resolved.HELD: CommandOutcome(DONE, _RELEASED),
        Resolved.CLOSED_BEFORE: CommandOutcome(DONE, N_("There is nothing to do: the nonce was closed before.")),
        Resolved.STEPPED_OVER: CommandOutcome(DONE, N_("Done. Resolve the next nonce, or `resume` if there is none.")),
        Resolved.NOT_BOUND: CommandOutcome(REFUSED, N_("Check operator and nonce: `show` lists both.")),
        Resolved.NOT_NEXT: CommandOutcome(REFUSED, N_("Resolve the lowest unknown nonce first.")),
        Resolved.NOT_PAUSED: _NOT_PAUSED,
        Resolved.REBUILD: CommandOutcome(REFUSED, N_("It paid an order that this ledger does not know: `rebuild`.")),
        Resolved.CONFLICT: CommandOutcome(
            REFUSED, N_("It paid an order that the ledger has otherwise: `audit-chain`, then compare both by hand.")
        ),
        Resolved.OURS: CommandOutcome(
            REFUSED, N_("It is a transaction of this service: settlement closes it by itself.")
        ),
        Resolved.ANOTHER_NONCE: _ANOTHER_NONCE,
        Resolved.NOT_FINAL: _NOT_FINAL,
        Resolved.NODES_DISAGREE: _DISAGREE,
    },
    "cancel-nonce": {
        Cancelled.SUBMITTED: CommandOutcome(
            DONE, N_("Settlement follows the cancellation; its orders are held when it is final.")
        ),
        Cancelled.CANCELLING: CommandOutcome(DONE, N_("There is nothing to do: it is being cancelled.")),
        Cancelled.NOT_OPEN: CommandOutcome(REFUSED, N_("Check operator and nonce: `show` lists the open ones.")),
        Cancelled.USED: _USED,
        Cancelled.PAYABLE: CommandOutcome(
            REFUSED, N_("The contract would pay it today: let it be paid, or pause the authority first.")
        ),
        Cancelled.NEWER: _NEWER,
        Cancelled.NOT_PAUSED: _NOT_PAUSED,
        Cancelled.TOO_FAR: CommandOutcome(REFUSED, N_("Too many nonces lie between: `rebuild` cancels them all.")),
        Cancelled.NO_KEY: CommandOutcome(
            REFUSED, N_("Set OPERATOR_PK or OPERATOR_PK_RETIRING to that operator's key.")
        ),
        Cancelled.FEE_CEILING: CommandOutcome(REFUSED, N_("Raise MAX_FEE_GWEI and MAX_PRIORITY_FEE_GWEI, or wait.")),
    },
}
"""By command, every outcome that it can have."""


def conclude(context: CommandContext, outcome: StrEnum, **subject: object) -> int:
    """Answer with *outcome*, say the next step, and return the exit code."""
    code, following = OUTCOMES[context.options.command][outcome]
    context.say(_(following))
    context.answer({**subject, "outcome": str(outcome), "next": _(following)})
    return code
