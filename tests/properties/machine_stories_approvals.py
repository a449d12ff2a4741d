"""Stories of orders above the limit: how they come in, and what would get one bound that nobody else approved."""

from __future__ import annotations

from tests.properties.machine import Payouts
from tests.properties.machine_host import Host
from tests.properties.machine_stories import Story, _once, _works

_LIMITED = frozenset({"approve"})


def _asks(machine: Payouts, number: int, tokens: int) -> None:
    machine.receive(0, number, tokens, True)
    machine.look()


def _is_bound_below(machine: Payouts, tokens: int) -> None:
    """The limit is lowered, and the host that has it looks at what waits."""
    machine.people.change_limit(0, tokens)
    _works(machine, Host.drain)


def _comes_in(machine: Payouts) -> None:
    _asks(machine, 0, 20)


def _limit_is_lowered(machine: Payouts) -> None:
    """It was below the limit when it came in."""
    _asks(machine, 0, 10)
    _is_bound_below(machine, 5)


def _approval_is_copied(machine: Payouts) -> None:
    """One order is approved; somebody writes its approval into another order's row."""
    _asks(machine, 0, 20)
    machine.people.approve(0, 0, "ana", True)
    _asks(machine, 2, 10)
    machine.troubles.forge_approval(1, "copied")
    _is_bound_below(machine, 5)


def _approved_by_who_asked(machine: Payouts) -> None:
    """Who uploaded it types the name in other letters."""
    _asks(machine, 1, 20)
    machine.people.approve(0, 0, "ANA ", True)
    _works(machine, Host.drain)


def _approval_written_by_who_asked(machine: Payouts) -> None:
    """Who uploaded it edits the table."""
    _asks(machine, 1, 10)
    machine.troubles.forge_approval(0, "by who asked")
    _is_bound_below(machine, 5)


def _approved_too_long_ago(machine: Payouts) -> None:
    """It waited for another reason meanwhile."""
    _asks(machine, 0, 20)
    machine.people.approve(0, 0, "rui", True)
    machine.troubles.wait_a_week()
    _works(machine, Host.drain)


def _is_retried(machine: Payouts) -> None:
    _asks(machine, 0, 20)
    machine.people.decide(0, 0, True, False)
    machine.look()


COMES_IN = Story(tell=_once(_comes_in), troubles=_LIMITED)
LIMIT_LOWERED = Story(tell=_once(_limit_is_lowered), troubles=_LIMITED)
COPIED = Story(tell=_once(_approval_is_copied), troubles=_LIMITED)
BY_THE_SAME = Story(tell=_once(_approved_by_who_asked), troubles=_LIMITED)
WRITTEN_BY_THE_SAME = Story(tell=_once(_approval_written_by_who_asked), troubles=_LIMITED)
TOO_LATE = Story(tell=_once(_approved_too_long_ago), troubles=_LIMITED)
RETRIED = Story(tell=_once(_is_retried), troubles=_LIMITED)
