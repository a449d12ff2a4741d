"""Disciplines of approval taken away: judged once instead of twice, of any content, by the asker, without end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor import approvals
from distributor.caps import Caps
from distributor.ledger import Ledger, binding
from distributor.ledger.admin import Admin
from distributor.model import Order
from distributor.payout import batch_signer, selection
from foundation.clock import UnixMs

Patch = pytest.MonkeyPatch


class _Blind:
    """What a round that does not look knows of approvals."""

    @staticmethod
    def lacks(_order: Order, _caps: Caps, _now: UnixMs) -> bool:
        return False


def judged_at_binding_alone(patch: Patch) -> None:
    """Take every order in as if there were no limit."""
    patch.setattr(Ledger, "judged", lambda _ledger, order, _caps: order)


def judged_at_intake_alone(patch: Patch) -> None:
    """Bind what waits, whatever the limit of the host that binds it is."""
    patch.setattr(selection, "approvals", _Blind)
    patch.setattr(batch_signer, "approvals", _Blind)
    patch.setattr(binding, "_check_approvals", lambda *_: None)


def of_whatever_content(patch: Patch) -> None:
    """Count an approval of another content."""
    counts = approvals.is_approved

    def of_any(order: Order, now: UnixMs) -> bool:
        given = order.approval and replace(order.approval, fingerprint=approvals.content_of(order))
        return counts(replace(order, approval=given), now)

    patch.setattr(approvals, "is_approved", of_any)


def by_who_asked(patch: Patch) -> None:
    """Let a person approve what they asked for."""
    patch.setattr(approvals, "asked", lambda _order, _by: False)


def written_by_who_asked(patch: Patch) -> None:
    """Ask who approves at the command alone: an approval that lies in the row is believed."""
    counts = approvals.is_approved
    patch.setattr(approvals, "is_approved", lambda order, now: counts(replace(order, asked_by=None), now))


def for_ever(patch: Patch) -> None:
    """Count an approval however long ago it was given."""
    patch.setattr(approvals, "VALID_MS", 10**15)


def by_retry(patch: Patch) -> None:
    """Let ``retry`` put back what waits for approval."""
    retry = Admin.retry

    async def any_reason(self: Admin, order: Order, by: str, why: str) -> Order:
        return await retry(self, replace(order, hold_reason=None), by, why)

    patch.setattr(Admin, "retry", any_reason)
