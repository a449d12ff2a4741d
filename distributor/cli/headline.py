"""
The one line to read first: PAYING, WAITING because something passes, or STOPPED until a person acts.

Pure: what the ledger says in, a line and what to do out. The same words end ``show --check``, which cron runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from distributor.cli.language import N_, _, current, detail
from distributor.payout.ages import WATCHED_MS_MAX
from distributor.payout.catalogue import CATALOGUE, WORK_NOT_RUNNING
from distributor.queue_names import DISTRIBUTIONS
from distributor.readiness import SWEEP_AGE_MS_MAX
from distributor.state import Identity, MonitorState, PauseState, Waiting, WaitingReason
from foundation.clock import UnixMs, elapsed_ms

PASSING: Final = frozenset(
    {
        WaitingReason.NODE_DOWN,
        WaitingReason.DAILY_CAP,
        WaitingReason.OVER_CAP,
        WaitingReason.FEE_CEILING,
        WaitingReason.SLOTS_FULL,
        WaitingReason.GAS_SHORT,
        WaitingReason.RESERVE_SHORT,
        WaitingReason.ALLOWANCE_SHORT,
        WaitingReason.NODE_BEHIND,
        WaitingReason.FINALITY_BEHIND,
        WaitingReason.SIGNER_DOWN,
    }
)
"""Orders go on without a command: the cause passes, or somebody sends coins. Every other reason stops all."""
_WAITING: Final = "waiting_"
_HELD: Final = "held_"


class State(StrEnum):
    """Whether an order that came now would be paid."""

    PAYING = "paying"
    WAITING = "waiting"
    STOPPED = "stopped"


_WORDS: Final[Mapping[State, str]] = {
    State.PAYING: N_("PAYING"),
    State.WAITING: N_("WAITING because {because}"),
    State.STOPPED: N_("STOPPED, a person is needed: {because}"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """What the headline is made of."""

    identity: Identity | None
    pause_state: PauseState
    waiting: Waiting
    oldest_ms: UnixMs | None
    """When the oldest waiting order came; None: nothing waits."""
    held: int
    alarms: Collection[str]
    """Codes of the alarms that hold; those that the last sweep no longer saw are left out."""
    monitor: MonitorState
    now: UnixMs
    held_more: bool = False
    """There may be more held orders than were read."""
    off: Collection[str] = ()
    """The queues whose function does not run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Headline:
    """The state, why, and what to do about it; the last two are empty where there is nothing."""

    state: State
    because: str = ""
    action: str = ""

    @property
    def line(self) -> str:
        """The headline as people read it."""
        return _(_WORDS[self.state]).format(because=self.because)


def headline(situation: Situation) -> Headline:
    """Return the first thing that is true: who stopped it, what is missing, why orders wait, what needs a look."""
    return (
        _by_a_person(situation)
        or _not_looking(situation)
        or _not_distributing(situation)
        or _by_reason(situation)
        or _in_the_way(situation)
        or _by_alarm(situation)
        or _paying(situation)
    )


def age(since_ms: UnixMs, now: UnixMs) -> str:
    """Return how long ago, in the two largest units: ``2 h 5 min``."""
    seconds = max(0, now - since_ms) // 1_000
    days, hours, minutes = seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds % 60} s"


def _by_a_person(situation: Situation) -> Headline | None:
    pause = situation.pause_state
    if situation.identity is None:
        return _stopped(WaitingReason.LEDGER_FOREIGN)
    if pause.halted:
        return _stopped(WaitingReason.HALTED, by=pause.halted_by, why=pause.halted_why)
    return _stopped(WaitingReason.PAUSED, by=pause.paused_by, why=pause.paused_why) if pause.paused else None


def _stopped(reason: WaitingReason, *, by: str = "", why: str = "") -> Headline:
    said = CATALOGUE.find(f"waiting_{reason}").texts[current()]
    who = _(" By {by}: {why}").format(by=by, why=why) if by else ""
    return Headline(state=State.STOPPED, because=said.summary + who, action=said.action)


def _not_looking(situation: Situation) -> Headline | None:
    """Without the sweep nothing is woken, and what the ledger says of its surroundings is old."""
    swept_ms = situation.monitor.swept_ms
    if not swept_ms:
        because = _("the sweep has not been seen yet.")
    elif elapsed_ms(swept_ms, situation.now) > SWEEP_AGE_MS_MAX:
        because = _("the sweep last ran {age} ago.").format(age=age(swept_ms, situation.now))
    else:
        return None
    return Headline(
        state=State.WAITING, because=because, action=_("Is the function app running? Is its function `sweep` disabled?")
    )


def _not_distributing(situation: Situation) -> Headline | None:
    """Without rounds the reason in the ledger is that of the last one, however long ago it was."""
    if DISTRIBUTIONS not in situation.off:
        return None
    because = _("the function `distribute` does not run, so no order is paid.")
    return Headline(
        state=State.STOPPED, because=because, action=CATALOGUE.find(WORK_NOT_RUNNING).texts[current()].action
    )


def _by_reason(situation: Situation) -> Headline | None:
    reason = situation.waiting.reason
    if reason is None or situation.oldest_ms is None:
        return None
    said = CATALOGUE.find(f"waiting_{reason}").texts[current()]
    why = f" {detail(situation.waiting.detail)}" if situation.waiting.detail else ""
    state = State.WAITING if reason in PASSING else State.STOPPED
    return Headline(state=state, because=said.summary + why, action=said.action)


def _in_the_way(situation: Situation) -> Headline | None:
    """While no order waits: what the watch found that would stop the next one."""
    monitor = situation.monitor
    if elapsed_ms(monitor.watched_ms, situation.now) > WATCHED_MS_MAX:
        return None
    for code in monitor.alarms:
        if code.startswith(_WAITING):
            said = CATALOGUE.find(code).texts[current()]
            state = State.WAITING if code.removeprefix(_WAITING) in PASSING else State.STOPPED
            return Headline(state=state, because=said.summary, action=said.action)
    return None


def _by_alarm(situation: Situation) -> Headline | None:
    """An alarm that makes /ready red: payouts hang, or nobody looks. Why orders wait and what is held has been read."""
    kinds = [CATALOGUE.find(code) for code in situation.alarms if not code.startswith((_WAITING, _HELD))]
    worst = min((kind for kind in kinds if kind.blocks), key=lambda kind: (kind.severity, kind.code), default=None)
    if worst is None:
        return None
    said = worst.texts[current()]
    return Headline(state=State.STOPPED, because=f"{worst.code}: {said.summary}", action=said.action)


def _paying(situation: Situation) -> Headline:
    """Say what needs a look although payouts go on."""
    if situation.held_more:
        action = _("At least {count} orders are held and wait for a person: `held` lists them.").format(
            count=situation.held
        )
    elif situation.held == 1:
        action = _("1 order is held and waits for a person: `held` lists it.")
    elif situation.held:
        action = _("{count} orders are held and wait for a person: `held` lists them.").format(count=situation.held)
    elif situation.alarms:
        action = _("Alarms persist: {codes}. `alarms` says what to do.").format(
            codes=", ".join(sorted(situation.alarms))
        )
    else:
        action = ""
    return Headline(state=State.PAYING, action=action)
