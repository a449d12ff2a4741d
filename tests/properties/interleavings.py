"""
All interleavings of two processes, with a crash and a lost answer at every call: enumerated, not sampled.

A move lets one process make its next call and think until the one after; what it thinks in between touches nothing,
so this is every order there is. A state that was met before is not entered again: the rows, the chain, and of each
process what it has heard so far and whether that is still so.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from foundation.tablestore.ports import Row
from tests.properties import machine_end
from tests.properties.machine_host import Host, handled
from tests.properties.machine_invariants import Watchman
from tests.properties.machine_loop import Job, Turns, current_job

Work = Callable[[Host], Coroutine[Any, Any, object]]
CRASH, LOST, LOST_DONE = "crash", "lost, not done", "lost, done"
_OWNER = "owner"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """How a history begins, and what both processes do then."""

    begin: Callable[[], Watchman]
    """What was before, watched from its beginning."""
    left: Work
    right: Work
    goes_wrong: Sequence[str] = (CRASH, LOST, LOST_DONE)
    """What may befall the left process, a crash and one lost answer at most."""


@dataclass(kw_only=True)
class Explored:
    """What was gone through."""

    states: int = 0
    ends: int = 0
    met: set[Any] = field(default_factory=set)


def explore(scene: Scene, patch: pytest.MonkeyPatch) -> Explored:
    """Go through every interleaving of *scene*; raises Broken at the first that breaks a rule."""
    found, ahead = Explored(), [()]  # type: tuple[Explored, list[tuple[str, ...]]]
    _listen(patch)
    while ahead:
        play = _Play(scene)
        try:
            moves = ahead.pop()
            for move in moves:
                play.do(move)
            ahead += _follow(play, moves, found)
        finally:
            play.end()
    return found


def _follow(play: _Play, moves: tuple[str, ...], found: Explored) -> Iterator[tuple[str, ...]]:
    """Go on as far as nothing known is met; yield the other ways there are on the way."""
    while True:
        play.watchman.look()
        state = play.state()
        if state in found.met:
            return
        found.met.add(state)
        found.states += 1
        first, *others = play.possible() or [""]
        yield from ((*moves, other) for other in others)
        if not first:
            break
        moves = (*moves, first)
        play.do(first)
    if play.outcome() not in found.met:
        found.met.add(play.outcome())
        found.ends += 1
        machine_end.drive(play.world, play.watchman)


class _Play:
    """One history, move by move."""

    def __init__(self, scene: Scene) -> None:
        self.watchman = scene.begin()
        self.world = self.watchman.world
        left, right = self.world.hosts
        self.jobs = {
            "left": (left, left.turns.start("left", handled(scene.left(left)))),
            "right": (right, right.turns.start("right", handled(scene.right(right)))),
        }
        self.left_to_go_wrong = list(scene.goes_wrong)

    def possible(self) -> Sequence[str]:
        """Return what may be next; nothing when both processes have ended."""
        running = [name for name, (_, job) in self.jobs.items() if job.gates]
        return [*running, *(self.left_to_go_wrong if "left" in running else [])]

    def do(self, move: str) -> None:
        """Let one thing happen."""
        if move == CRASH:
            self.left_to_go_wrong.remove(CRASH)
            del self.jobs["left"]
            self.world.kill(0)
        elif move in {LOST, LOST_DONE}:
            self.left_to_go_wrong = [each for each in self.left_to_go_wrong if each == CRASH]
            self.world.rows.lose_next_answer(done=move == LOST_DONE)
        else:
            _let_on(*self.jobs[move])
        self.watchman.see_ended(self.world.ended())

    def state(self) -> Any:
        """Return all that what follows depends on."""
        heard = {name: self._heard(job) for name, (_, job) in self.jobs.items()}
        troubles = tuple(repr(each) for each in self.world.rows._troubles)
        return repr((self.outcome(), sorted(heard.items()), self.left_to_go_wrong, troubles))

    def outcome(self) -> Any:
        """Return what the processes leave behind."""
        chain, rows = self.world.chain, self.world.rows.dump()
        values = {key: _plain(row) for key, row in rows.items()}
        pool = [sent.tx_hash for sent in chain.pooled]
        return repr((values, pool, chain.head, sorted({sent.tx_hash for sent in chain.handed}), self.world.clock()))

    def end(self) -> None:
        for host in self.world.hosts:
            host.turns.kill()

    def _heard(self, job: Job) -> Any:
        return [gate.what for gate in job.gates], [self._still(answer) for answer in _TRAILS.get(job, [])]

    def _still(self, answer: Any) -> Any:
        """Return an answer without what differs by chance, and whether what it says of versions still holds."""
        rows = self.world.rows._rows
        match answer:
            case Row(key=key, values=values, version=version):
                return key, _plain(values), key in rows and rows[key].version == version
            case list() | tuple():
                return [self._still(each) for each in answer]
            case dict() if all(key in rows for key in answer):
                return [(key, rows[key].version == version) for key, version in answer.items()]
            case _:
                return repr(answer)


_TRAILS: dict[Job, list[Any]] = {}


def _listen(patch: pytest.MonkeyPatch) -> None:
    """Note what each process hears."""
    step = Turns.step
    _TRAILS.clear()

    async def noted(self: Turns, what: str, call: Callable[[], Any]) -> Any:
        async def heard() -> Any:
            trail = _TRAILS.setdefault(current_job(), [])
            try:
                answer = await call()
            except Exception as error:
                trail.append(repr(error))
                raise
            trail.append(answer)
            return answer

        return await step(self, what, heard)

    patch.setattr(Turns, "step", noted)


def _let_on(host: Host, job: Job) -> None:
    """Let a process make its next call, and think."""
    host.turns.open(job)
    while thinking := [at for at, gate in enumerate(job.gates) if gate.what.startswith("after ")]:
        host.turns.open(job, thinking[0])


def _plain(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in values.items() if name != _OWNER}
