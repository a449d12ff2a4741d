"""How a correction ends: ``correction`` and ``reopening`` say when."""

from __future__ import annotations

from enum import StrEnum


class Corrected(StrEnum):
    """What was put right, or why nothing was."""

    SUBMITTED = "submitted"
    """The stored bytes were handed to the nodes."""
    PAID = "paid"
    """The order is paid by that transaction."""
    HELD = "held"
    """The order is held: what it was called paid by did not pay it."""
    NOT_BOUND = "not_bound"
    """The ledger has no transaction with that nonce."""
    USED = "used"
    """The nonce is in a block: there is nothing to submit."""
    NO_TRANSFER = "no_transfer"
    """That transaction moved no such amount from the reserve to this wallet."""
    ANOTHER_ORDER = "another_order"
    """That transfer paid another order, by its reference or by an earlier decision."""
    ANOTHER_NONCE = "another_nonce"
    """That transaction is not the one that used the order's nonce."""
    ANOTHER_PAYMENT = "another_payment"
    """The order is called paid by another transaction than that one, and has no nonce of its own."""
    IS_PAID = "is_paid"
    """The order is paid, as it is called: the chain shows it, or the guard has recorded it."""
    MOVED = "moved"
    """The guard has recorded another transaction as its payment than the ledger names."""
    NOT_SHOWN = "not_shown"
    """The order is called paid, and neither chain nor guard shows that payment."""
    NOT_PAID = "not_paid"
    """The order is not called paid, so there is nothing to reopen."""
    RESUBMIT = "resubmit"
    """The order's nonce is not used: hand its stored bytes to the nodes with ``resubmit``."""
    NOT_FINAL = "not_final"
    NODES_DISAGREE = "nodes_disagree"
    ERASED = "erased"
    """The order's data was erased: nobody can tell any more what it asked for."""
    NEWER = "newer"
    """A newer version of the service wrote the order's status or reason: that version must do it."""
