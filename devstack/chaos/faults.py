"""
What goes wrong in a soak: one script for the processes, one for the chain and the wire, side by side.

The same seed gives the same faults in the same order; when each one strikes depends on the machine.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from random import Random
from typing import Any

from devstack.chaos.ground import BLOCK_TIME_S, DEEPEST_REORG_BLOCKS, Ground
from devstack.chaos.parts import Part, Proxy
from devstack.console import Console
from devstack.contracts import Devchain
from distributor.units import Wei

FLUSHED_S = 7.0
"""
Azurite writes to disk each 5 s, and only then; Azure Storage before it answers. So a kill that is fair
waits until the disk has all that was answered. Source: Azurite, LokiTableMetadataStore.ts autosaveInterval.
"""
PROCESS_PAUSES_S = (8.0, 30.0)
"""A dead host's leases last 30 s: with much less between the kills nothing is paid, not even twice."""
CHAIN_PAUSES_S = (2.0, 10.0)
CALM_BASE_FEE_WEI = Wei(10**9)
PUTS_BACK_CHANCE = 0.5
_PAYMENT_WITHIN_S = 5.0
_GWEI = 10**9
_WIRE: Sequence[Mapping[str, Any]] = (
    {"kind": "drop_answer", "methods": ["eth_sendRawTransaction"]},
    {"kind": "drop_request", "chance": 0.5},
    {"kind": "drop_answer", "chance": 0.5},
    {"kind": "rate_limited", "chance": 0.5},
    {"kind": "server_error", "chance": 0.5},
    {"kind": "html", "chance": 0.5},
    {"kind": "truncated", "chance": 0.5},
    {"kind": "reset", "chance": 0.5},
    {"kind": "delay", "chance": 0.5, "after_s": 2.0},
    {"kind": "duplicate"},
    {"kind": "reorder"},
    {"kind": "stale", "chance": 0.5, "blocks": 3},
)


@dataclass(slots=True)
class Struck:
    """What went wrong so far, by name."""

    counts: Counter[str] = field(default_factory=Counter)
    deepest_reorg: int = 0
    undone: int = 0
    """Payments that were in blocks which left the chain."""


class Script:
    """A list of faults, one after the other, chosen by chance until asked to end."""

    def __init__(
        self, name: str, faults: Sequence[Callable[[], str]], pauses_s: tuple[float, float], seed: int
    ) -> None:
        self._faults, self._pauses_s = faults, pauses_s
        self._asked: SimpleQueue[Callable[[], str]] = SimpleQueue()
        self._chance = Random(f"{name} {seed}")  # noqa: S311 -- a run that can be repeated, no secret

    def play(self, over: threading.Event, tell: Callable[[str], None]) -> None:
        """Let one fault after the other happen, with pauses, until *over*; *tell* what happened."""
        while not over.wait(self._chance.uniform(*self._pauses_s)):
            fault = self._chance.choice(self._faults)
            tell((self._asked.get() if self._asked.qsize() else fault)())

    def ask(self, once: Callable[[], str]) -> None:
        """Let *once* happen next, in the place of a fault."""
        self._asked.put(once)


class Faults:
    """Everything that can go wrong on one ground."""

    def __init__(self, ground: Ground, console: Console, seed: int) -> None:
        self.struck = Struck()
        self._ground, self._console = ground, console
        self._chain = Devchain(ground.deployment)
        self._chance = {name: Random(f"{name} {seed} sizes") for name in ("processes", "chain")}  # noqa: S311 -- no secret
        self._over = threading.Event()
        self._playing: list[Future[None]] = []
        self._began_s = time.monotonic()
        processes = [self._host, self._host, self._storage, self._storage_restart, self._node]
        chain = [
            self._reorganise,
            self._reorganise,
            self._stop_mining,
            self._dear,
            self._freeze,
            self._wire,
            self._wire,
        ]
        self._scripts = (
            Script("processes", processes, PROCESS_PAUSES_S, seed),
            Script("chain", chain, CHAIN_PAUSES_S, seed),
        )

    @contextmanager
    def raging(self) -> Iterator[None]:
        """Let things go wrong beside the block; when it ends, return once everything runs again."""
        with ThreadPoolExecutor(len(self._scripts), thread_name_prefix="faults") as players:
            self._playing = [players.submit(script.play, self._over, self._tell) for script in self._scripts]
            try:
                yield
            finally:
                self._over.set()
            for each in self._playing:
                each.result()
        self._chain.set_next_base_fee(CALM_BASE_FEE_WEI)

    @property
    def broken(self) -> bool:
        """Whether a script has ended before its time; leaving ``raging`` then says why."""
        return any(each.done() for each in self._playing)

    def _tell(self, what: str) -> None:
        at_s = int(time.monotonic() - self._began_s)
        self._console.say(f"  {at_s // 60:>3}:{at_s % 60:02d}  {what}")

    def ask(self, once: Callable[[], str]) -> None:
        """Let *once* happen between two faults of the processes: no process comes or goes beside it."""
        self._scripts[0].ask(once)

    # processes ---------------------------------------------------------------------------------

    def _host(self) -> str:
        host, down_s = self._chance["processes"].choice(self._ground.hosts), self._down("processes", 3)
        host.kill()
        time.sleep(down_s)
        host.start()
        return f"{host.name} killed, started again after {down_s:.1f} s"

    def _storage(self) -> str:
        """Kill storage under hosts that wait for it; what it had answered is on its disk."""
        down_s = self._down("processes", 4)
        with ExitStack() as frozen:
            for host in self._ground.hosts:
                frozen.enter_context(host.frozen())
            time.sleep(FLUSHED_S)
            self._ground.storage.kill()
        time.sleep(down_s)
        self._ground.storage.start()
        return f"storage killed, started again after {down_s:.1f} s"

    def _storage_restart(self) -> str:
        down_s = self._down("processes", 4)
        self._ground.storage.stop()
        self.struck.counts["storage restarts"] += 1
        time.sleep(down_s)
        self._ground.storage.start()
        return f"storage restarted under load, away for {down_s:.1f} s"

    def _node(self) -> str:
        node, down_s = self._chance["processes"].choice(self._ground.nodes), self._down("processes", 5)
        node.kill()
        time.sleep(down_s)
        node.start()
        return f"{node.name} killed with its pool, started again after {down_s:.1f} s"

    # chain and wire ----------------------------------------------------------------------------

    def _reorganise(self) -> str:
        """Wait until there is a payment to undo; the node puts it back into its pool, or forgets it."""
        depth = self._chance["chain"].randint(1, DEEPEST_REORG_BLOCKS)
        puts_back = self._chance["chain"].random() < PUTS_BACK_CHANCE
        for node in self._ground.nodes:
            _tell(node, "proxy_setRules", {"puts_back": puts_back})
        until_s = time.monotonic() + _PAYMENT_WITHIN_S
        while not (undone := self._payments_in_last(depth)) and time.monotonic() < until_s:
            time.sleep(BLOCK_TIME_S / 2)
        self._chain.reorg(depth)
        self.struck.counts["reorganisations"] += 1
        self.struck.deepest_reorg = max(self.struck.deepest_reorg, depth)
        self.struck.undone += undone
        return f"{depth} blocks with {undone} payments reorganised away, {'put back' if puts_back else 'forgotten'}"

    def _payments_in_last(self, blocks: int) -> int:
        head = int(self._chain.rpc("eth_blockNumber"), 16)
        return sum(event.block_number > head - blocks for event in self._chain.payouts())

    def _stop_mining(self) -> str:
        stopped_s = self._chance["chain"].uniform(3, 12)
        self._chain.rpc("evm_setIntervalMining", 0)
        time.sleep(stopped_s)
        self._chain.rpc("evm_setIntervalMining", BLOCK_TIME_S)
        self.struck.counts["mining stops"] += 1
        return f"no block for {stopped_s:.0f} s"

    def _dear(self) -> str:
        """Keep the base fee up long enough for replacements; above 30 gwei nothing fits under the ceiling."""
        gwei, blocks = self._chance["chain"].randint(15, 45), self._chance["chain"].randint(8, 20)
        for _ in range(blocks):
            self._chain.set_next_base_fee(Wei(gwei * _GWEI))
            time.sleep(BLOCK_TIME_S)
        self._chain.set_next_base_fee(CALM_BASE_FEE_WEI)
        self.struck.counts["base fee rises"] += 1
        return f"base fee at {gwei} gwei for {blocks} blocks"

    def _freeze(self) -> str:
        frozen_s = self._chance["chain"].uniform(2, 8)
        with self._ground.chain.frozen():
            time.sleep(frozen_s)
        self.struck.counts["node freezes"] += 1
        return f"the node froze for {frozen_s:.0f} s"

    def _wire(self) -> str:
        """Let one wire lie; a proxy that is killed meanwhile forgets what it was set to do, and is honest again."""
        rules, lying_s = self._chance["chain"].sample(_WIRE, 2), self._chance["chain"].uniform(4, 12)
        node = self._chance["chain"].choice(self._ground.nodes)
        told = _tell(node, "proxy_setFaults", rules)
        time.sleep(lying_s)
        _tell(node, "proxy_setFaults", [])
        if not told:
            return f"the wire could not be told to lie: {node.name} is away"
        self.struck.counts["wire faults"] += 1
        return f"the wire of {node.name} for {lying_s:.0f} s: {' and '.join(str(rule['kind']) for rule in rules)}"

    def _down(self, script: str, longest_s: float) -> float:
        return self._chance[script].uniform(0.2, longest_s)


def _tell(node: Part[Proxy], method: str, told: object) -> bool:
    """Return whether the proxy was there to hear it."""
    call = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": [told]}).encode()
    url = node.running.url
    request = urllib.request.Request(url, call, {"Content-Type": "application/json"})  # noqa: S310 -- our own loopback URL
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 -- our own loopback URL
            return "result" in json.load(answer)
    except (OSError, http.client.HTTPException):  # killed before it heard, or while it answered
        return False
