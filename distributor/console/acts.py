"""
What a person can do on the console: each act is a command, about one thing.

What pays twice when it is judged wrongly is not among them: ``settle``, ``reopen``, ``resolve``, ``rebuild``,
``adopt``, and ``retry`` where somebody must first say that no tokens moved. The pages show those as lines to copy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from distributor.cli import alarms, approve, call_backs, orders, pause, sign_out
from distributor.cli.argument_types import order_key
from distributor.cli.language import N_
from distributor.console import call_backs as about_call_backs
from distributor.console.desk import Run


class About(StrEnum):
    """What an act is about."""

    PAYOUTS = "payouts"
    ORDER = "order"
    ALARM = "alarm"
    TELLING = "telling"
    """What the shop of an order was told."""
    SHOP = "shop"
    SINCE = "since"
    """What a shop was told since a moment: ``SHOP TIME``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """One act: its name in addresses and forms, the words of its button, and the command that it runs."""

    name: str
    label: str
    about: About
    run: Run
    options: Mapping[str, Any] = field(default_factory=dict)
    means: str = ""
    """What becomes of the order."""

    def asked(self, subject: str) -> dict[str, Any]:
        """Return the command's arguments about *subject*."""
        return {**self.options, **_ASKED[self.about](subject)}


_ASKED: Final[Mapping[About, Callable[[str], Mapping[str, Any]]]] = {
    About.PAYOUTS: lambda _subject: {},
    About.ORDER: lambda subject: {"order": order_key(subject)},
    About.ALARM: lambda subject: {"code": subject},
    About.TELLING: about_call_backs.of_order,
    About.SHOP: about_call_backs.of_shop,
    About.SINCE: about_call_backs.of_time,
}


ACTS: Final[Mapping[str, Act]] = {
    act.name: act
    for act in (
        Act(name="pause", label=N_("Pause payouts"), about=About.PAYOUTS, run=pause.pause),
        Act(name="halt", label=N_("Halt everything"), about=About.PAYOUTS, run=pause.halt),
        Act(
            name="resume",
            label=N_("Resume payouts"),
            about=About.PAYOUTS,
            run=pause.resume,
            options={"past_known": False},
        ),
        Act(
            name="retry",
            label=N_("Put back into the backlog"),
            about=About.ORDER,
            run=orders.retry,
            options={"no_tokens_moved": False},
            means=N_("The order goes back into the line at its old place, and is paid once."),
        ),
        Act(
            name="approve",
            label=N_("Approve"),
            about=About.ORDER,
            run=approve.approve,
            options={"batch": None, "count": None},
            means=N_("You checked who asked, the wallet and the amount. The order goes into the line and is paid."),
        ),
        Act(
            name="cancel",
            label=N_("Cancel permanently"),
            about=About.ORDER,
            run=orders.cancel,
            means=N_("The order is never paid, and its id can never be used again."),
        ),
        Act(
            name="seen",
            label=N_("I know of it"),
            about=About.ALARM,
            run=alarms.alarms,
            options={"action": "seen"},
        ),
        Act(
            name="call-back",
            label=N_("Tell the shop again"),
            about=About.TELLING,
            run=call_backs.call_backs,
            options={"action": "resend"},
        ),
        Act(
            name="call-back-since",
            label=N_("Tell the shop all of it again"),
            about=About.SINCE,
            run=call_backs.call_backs,
            options={"action": "resend"},
        ),
        Act(
            name="call-back-test",
            label=N_("Post a test"),
            about=About.SHOP,
            run=call_backs.call_backs,
            options={"action": "test"},
        ),
        Act(name="sign-out-all", label=N_("Sign everybody out"), about=About.PAYOUTS, run=sign_out.sign_out_all),
    )
}
