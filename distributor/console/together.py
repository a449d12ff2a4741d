"""
Acts about all held orders of one reason: the command of the command line, for each of the list that was shown.

What a command refuses about one order it refuses here too: an order that may have been paid, one that needs approval,
a word of a newer version. It is shown as refused and is not part of the form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from distributor.cli import approve, orders
from distributor.cli.argument_types import order_key
from distributor.cli.language import N_, _, spoken
from distributor.console.acts import ACTS, About, Act
from distributor.console.desk import Desk
from distributor.model import Order as HeldOrder
from foundation.console.acting import ActRequest
from foundation.console.bulk import ITEMS_MAX, BulkItem, BulkOutcome, Items, each_in_time, version_digest
from foundation.errors import ServiceError

HELD_READ_MAX: Final = 1_000
"""Rows of held orders that are looked through for those of one reason; held orders beyond them come later."""
TOGETHER: Final[Mapping[str, Act]] = {
    "retry": Act(
        name="retry",
        label=N_("Put all of these back into the backlog"),
        about=About.ORDER,
        run=orders.retry,
        options=ACTS["retry"].options,
    ),
    "approve": Act(
        name="approve",
        label=N_("Approve all of these"),
        about=About.ORDER,
        run=approve.approve,
        options=ACTS["approve"].options,
    ),
    "cancel": Act(name="cancel", label=N_("Cancel all of these permanently"), about=About.ORDER, run=orders.cancel),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Together:
    """``BulkApp``: held orders by their reason."""

    desk: Desk

    @property
    def acts(self) -> Mapping[str, Act]:
        return TOGETHER

    async def items(self, act: str, about: str, by: str, after: str) -> Items:
        """See ``BulkApp``; *about* is the reason for which the orders are held."""
        found = [each for each in await self.held(about) if str(each.key) > after]
        versions = {str(each.key): each.version.etag for each in found[:ITEMS_MAX]}

        async def dry(subject: str) -> BulkItem:
            outcome = await self._run(ActRequest(act=act, about=subject, by=by, why="-", apply=False))
            return BulkItem(subject=subject, version=versions[subject], says=outcome.says, refused=not outcome.done)

        def late(subject: str) -> BulkItem:
            return BulkItem(subject=subject, version="", says=_late(), refused=True)

        return Items(items=await each_in_time(list(versions), dry, late), more=len(found) > ITEMS_MAX)

    async def held(self, reason: str) -> Sequence[HeldOrder]:
        """Return the orders that are held for *reason*, as far as one look reaches."""
        page = await (await self.desk.parts.ledger()).held_orders(limit=HELD_READ_MAX)
        return [each for each in page.orders if each.hold_reason is not None and str(each.hold_reason) == reason]

    async def use(self, form: str, order: ActRequest, count: int) -> bool:
        """See ``BulkApp``; the note is in the audit trail, with who and why."""
        forms = (await self.desk.parts.ledger()).used_forms
        return await forms.use(form, order.by, order.why, deed=f"{order.act}-all", subject=order.about, count=count)

    async def run(self, order: ActRequest, frozen: Mapping[str, str]) -> Sequence[BulkOutcome]:
        """See ``BulkApp``."""
        return await each_in_time(list(frozen), partial(self._one, order, frozen), _not_begun)

    async def _one(self, order: ActRequest, frozen: Mapping[str, str], subject: str) -> BulkOutcome:
        try:
            found = await (await self.desk.parts.ledger()).shop_orders.find(order_key(subject))
        except ServiceError as error:  # its own answer: the others were done, or will be, and are not hidden by it
            said = _("{what} Nothing was done with it.").format(what=spoken(error))
            return BulkOutcome(subject=subject, says=said, done=False)
        if found is None or version_digest(found.version.etag) != frozen[subject]:
            said = _("It has changed since the list was shown. Nothing was done with it.")
            return BulkOutcome(subject=subject, says=said, done=False)
        return await self._run(ActRequest(act=order.act, about=subject, by=order.by, why=order.why, apply=True))

    async def _run(self, order: ActRequest) -> BulkOutcome:
        act = TOGETHER[order.act]
        options = {**act.asked(order.about), "apply": order.apply, "by": order.by, "why": order.why}
        outcome = await self.desk.run(act.run, options)
        said = outcome.refused or (outcome.said[-1] if outcome.said and not order.apply else _("Done."))
        if outcome.unknown:
            said = f"{said} {_('Whether this was done is not known: look again before you repeat it.')}"
        return BulkOutcome(subject=order.about, says=said, done=not outcome.refused)


def _late() -> str:
    return _("There was no time left to look at it. Open the form again after this one.")


def _not_begun(subject: str) -> BulkOutcome:
    said = _("There was no time left. Nothing was done with it; open the form again.")
    return BulkOutcome(subject=subject, says=said, done=False)
