"""
What a person can do on the console: each act is a command, about one thing.

What pays twice when it is judged wrongly is not among them: ``settle``, ``reopen``, ``resolve``, ``rebuild``,
``adopt``, and ``retry`` where somebody must first say that no tokens moved. The pages show those as lines to copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from distributor.cli import alarms, orders, pause, sign_out
from distributor.cli.argument_types import order_key
from distributor.cli.language import N_
from distributor.console.desk import Run


class About(StrEnum):
    """What an act is about."""

    PAYOUTS = "payouts"
    ORDER = "order"
    ALARM = "alarm"


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """One act: its name in addresses and forms, the words of its button, and the command that it runs."""

    name: str
    label: str
    about: About
    run: Run
    options: Mapping[str, Any] = field(default_factory=dict)

    def asked(self, subject: str) -> dict[str, Any]:
        """Return the command's arguments about *subject*."""
        about: Mapping[About, Mapping[str, Any]] = {
            About.PAYOUTS: {},
            About.ORDER: {"order": order_key(subject)},
            About.ALARM: {"code": subject},
        }
        return {**self.options, **about[self.about]}


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
        ),
        Act(name="cancel", label=N_("Cancel permanently"), about=About.ORDER, run=orders.cancel),
        Act(
            name="seen",
            label=N_("I know of it"),
            about=About.ALARM,
            run=alarms.alarms,
            options={"action": "seen"},
        ),
        Act(name="sign-out-all", label=N_("Sign everybody out"), about=About.PAYOUTS, run=sign_out.sign_out_all),
    )
}
