"""What may happen in a history: how often, and in how many ways."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from hypothesis import strategies as st

from distributor.model import SubmitOutcome
from tests.fakes.chain import Behaviour
from tests.properties.machine_approvals import FORGERIES, PEOPLE
from tests.properties.machine_lies import KINDS
from tests.properties.machine_people import EXITS
from tests.properties.machine_rules import HOSTS, ORDERS

REORG_BLOCKS_MAX = 8
"""Only as deep as nothing was shown as final: at most 5 while the tag moves, deeper while it is missing or stalls."""
SPOILED = [None, *(each for each in SubmitOutcome if each is not SubmitOutcome.UNKNOWN)]
MISBEHAVIOURS = [Behaviour.SILENT, Behaviour.FORGING, Behaviour.REFUSING]
"""One that moves another amount than it was told breaks the promise by itself; unit tests judge it."""
LIES = ["lag", "hide", "down"]

_HOST = st.integers(0, HOSTS - 1)
_ANY = st.integers(0, 30)
"""Which of several, wherever it is."""
_ORDER = st.integers(0, len(ORDERS) - 1)

_GATES = st.integers(1, 40)
_FLAG = st.booleans()

LIFE: Mapping[str, tuple[int, Mapping[str, st.SearchStrategy[object]]]] = {
    "receive": (6, {"host": _HOST, "number": _ORDER, "tokens": st.sampled_from([10, 10, 20, 30]), "at_once": _FLAG}),
    "distribute": (5, {"host": _HOST, "gates": _GATES}),
    "settle": (5, {"host": _HOST, "gates": _GATES}),
    "step": (10, {"at": _ANY, "task": st.integers(0, 3), "gates": _GATES}),
    "run": (6, {"at": _ANY}),
    "pass_block": (6, {}),
    "pay_as_usual": (3, {"host": _HOST}),
    "overtake": (3, {"host": _HOST, "gates": _GATES, "drains": _FLAG}),
    "mine": (3, {"blocks": st.integers(1, 8)}),
    "pass_time": (3, {"ms": st.sampled_from([1_000, 11_000, 31_000, 61_000, 86_400_000])}),
    "be_honest": (1, {}),
}
"""What happens in every history: how often, and in how many ways."""

TROUBLES: Mapping[str, tuple[int, Mapping[str, st.SearchStrategy[object]]]] = {
    "crash": (4, {"host": _HOST}),
    "pause": (2, {"host": _HOST, "at_once": _FLAG, "halts": _FLAG}),
    "resume": (2, {"host": _HOST}),
    "decide": (4, {"host": _HOST, "at": _ANY, "at_once": _FLAG, "cancel": _FLAG}),
    "cancel_nonce": (3, {"host": _HOST, "at": _ANY, "at_once": _FLAG}),
    "command": (3, {"host": _HOST, "what": st.sampled_from(EXITS), "at": _ANY, "at_once": _FLAG}),
    "skew": (
        2,
        {"host": _HOST, "ms": st.sampled_from([0, -3_600_000, -20_000, 20_000, 90_000, 3_600_000, 90_000_000])},
    ),
    "change_guard": (4, {"how": st.sampled_from(["fine", "fails", "fails", "paused", "mute", "bypassed"]), "at": _ANY}),
    "pay_elsewhere": (2, {"at": _ANY}),
    "rotate": (1, {"host": _HOST, "at_once": _FLAG}),
    "lose_group": (
        4,
        {"how": st.sampled_from(["lost, done", "lost, not done", "echo", "held up"]), "times": st.integers(1, 3)},
    ),
    "arrive_late": (1, {}),
    "reorganise": (4, {"depth": st.integers(1, REORG_BLOCKS_MAX), "keep": _FLAG}),
    "reorganise_failures": (3, {"keep": _FLAG}),
    "set_base_fee": (3, {"gwei": st.sampled_from([1, 6, 15, 26, 50, 90])}),
    "drop": (3, {"at": _ANY, "back": _FLAG}),
    "spoil_submissions": (3, {"how": st.sampled_from(SPOILED), "acted": _FLAG, "times": st.integers(1, 3)}),
    "lie": (2, {"at": _ANY, "how": st.sampled_from(KINDS)}),
    "lose_finality": (2, {"stalled": _FLAG}),
    "mislead": (2, {"what": st.sampled_from(LIES), "at": _ANY}),
    "change_contract": (4, {"how": st.sampled_from(["fine", "fine", "paused", "wary", *MISBEHAVIOURS]), "dear": _FLAG}),
}
"""What happens in some histories; which of it, each history draws at its beginning."""

LOSSES: Mapping[str, tuple[int, Mapping[str, st.SearchStrategy[object]]]] = {
    "lose_ledger": (2, {"how": st.sampled_from(["emptied", "went back", "restored"]), "back": _ANY, "really": _FLAG}),
    "rebuild": (3, {"host": _HOST, "at_once": _FLAG}),
    "silence_lane": (3, {"at": _ANY}),
    "refuse_batches": (3, {"most": st.integers(1, 2)}),
}
"""What happens in the histories of a search of its own: until it is rebuilt, a lost ledger shows little else."""

SHOPPING: Mapping[str, tuple[int, Mapping[str, st.SearchStrategy[object]]]] = {
    "receive_from_second": (3, LIFE["receive"][1]),
    "change_shop": (3, {"name": _FLAG, "secret": _FLAG}),
    "say_whose": (3, {"host": _HOST, "at_once": _FLAG}),
}
"""What happens to shops in the histories of a third search."""

APPROVING: Mapping[str, tuple[int, Mapping[str, st.SearchStrategy[object]]]] = {
    "approve": (5, {"host": _HOST, "at": _ANY, "by": st.sampled_from(PEOPLE), "at_once": _FLAG}),
    "change_limit": (2, {"host": _HOST, "tokens": st.sampled_from([None, 5, 15, 15, 25])}),
    "forge_approval": (2, {"at": _ANY, "how": st.sampled_from(FORGERIES)}),
    "wait_a_week": (1, {}),
}
"""What happens in histories of a search of their own: a limit, people who approve, and a row that somebody edits."""

STRAYS: Mapping[str, tuple[int, Mapping[str, st.SearchStrategy[object]]]] = {
    "stray": (2, {"at": _ANY}),
    "resolve": (3, {"host": _HOST, "at": _ANY, "at_once": _FLAG}),
}
"""What happens to nonces there: a key is used for something else, and a person says by which transaction."""

ERASURES: Mapping[str, tuple[int, Mapping[str, st.SearchStrategy[object]]]] = {
    "purge": (4, {"host": _HOST, "at": _ANY, "at_once": _FLAG}),
}
"""What people have erased in the histories of a fourth search."""

LANES: Mapping[str, tuple[int, Mapping[str, st.SearchStrategy[object]]]] = {
    "set_lanes": (2, {"at": _ANY}),
    "dry_lane": (3, {"at": _ANY, "dry": _FLAG}),
    "bar_lane": (3, {"at": _ANY, "barred": _FLAG}),
}
"""What happens to lanes in the histories of a fifth search, in which two operators pay at the same time."""

_SOMETIMES = {**TROUBLES, **LOSSES, **SHOPPING, **APPROVING, **STRAYS, **ERASURES, **LANES}

Event = tuple[str, Mapping[str, object]]


@cache
def events(troubles: frozenset[str]) -> st.SearchStrategy[Event]:
    """Return what may happen next in a history with these *troubles*."""
    known = {
        **LIFE,
        **{name: _SOMETIMES[name] for name in sorted(troubles)},
    }
    names = [name for name, (weight, _) in known.items() for _ in range(weight)]
    return st.sampled_from(names).flatmap(_EVENT.__getitem__)


_EVENT = {
    name: st.tuples(st.just(name), st.fixed_dictionaries(dict(arguments)))
    for name, (_, arguments) in {**LIFE, **_SOMETIMES}.items()
}
