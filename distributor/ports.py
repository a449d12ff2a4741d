"""What the use cases need of the outside world. Nothing here knows Azure, HTTP or a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from distributor.chain_types import (
    Call,
    ChainSnapshot,
    Claim,
    GuardFacts,
    GuardLink,
    GuardPast,
    GuardPayment,
    Mark,
    PoolView,
    PreBindSnapshot,
    Simulation,
    Submitted,
    Word,
)
from distributor.model import Address, Fees, Hash, Order
from distributor.rates import Rate, Window
from foundation.queue_ages import Oldest


class Payer(Protocol):
    """Where a payment is tried: the Authority itself, or the guard before it."""

    def pay(self, *orders: Order) -> Call:
        """Return the call that pays *orders*; the Authority itself pays exactly one."""

    def probe(self, operator: Address) -> Call:
        """Return a payment of one token unit to *operator* that is only ever simulated."""

    async def simulate(self, operator: Address, calls: Sequence[Call], *, node: str = "") -> Sequence[Simulation]:
        """Try *calls* as *operator* against the latest state, each alone."""


class Chain(Protocol):
    """
    The chain as the nodes of ``RPC_URL`` show it.

    Every method raises ChainUnavailable when no node gives a whole answer, and WrongChain when
    every node serves another chain; ``submit`` answers with outcomes instead.
    """

    def pay(self, *orders: Order) -> Call:
        """Return the Authority call that pays *orders*. Raises ValueError unless it is one."""

    def probe(self, operator: Address) -> Call:
        """
        Return a payment of one token unit to *operator* that is only ever simulated.

        It tells a sick Authority from a bad order: where the probe is refused too, no order is to blame.
        """

    async def pre_bind_snapshot(self, operator: Address) -> PreBindSnapshot:
        """Return what a round must know before it binds, from one node in one batch."""

    async def simulate(self, operator: Address, calls: Sequence[Call], *, node: str = "") -> Sequence[Simulation]:
        """
        Try *calls* as *operator* against the latest state, each alone.

        On *node* when named, else on the first healthy one. A refused call is an answer, not an error; one the
        node cannot say anything about is an unknown beside the others. Raises ChainUnavailable where all are.
        """

    async def snapshot(
        self, operators: Sequence[Address], hashes: Sequence[Hash], blocks: Sequence[int], *, node: str = ""
    ) -> ChainSnapshot:
        """
        Return the nonces of *operators* first, then the receipts of *hashes* and the hashes of *blocks*.

        All from one node, so that a receipt can never be older than the nonce beside it; from *node* when named.
        """

    async def words(self, claims: Sequence[Claim], *, node: str, mark: Mark | None = None) -> Mapping[Hash, Word]:
        """
        Return what the named node says of each claim; a claim it says nothing of is left out.

        The claims are asked for after the node's mark is known: *mark*, where the node has just shown it,
        else a request of its own.
        """

    async def pool_views(self, operators: Sequence[Address]) -> Sequence[PoolView]:
        """
        Return what every healthy node counts of *operators*, in blocks and in its pool.

        Never a source of nonces: a pool may hold bytes that nobody remembers, and forget what it holds.
        """

    async def submit(self, raws: Sequence[bytes]) -> Sequence[Submitted]:
        """Hand signed bytes to every healthy node; one outcome for each, in order. Never raises."""

    @property
    def nodes(self) -> Sequence[str]:
        """The hosts of ``RPC_URL`` in their order; names unique, without user, path or query."""

    async def aclose(self) -> None: ...


class CodeChain(Chain, Protocol):
    """The chain, asked besides where contracts are."""

    async def has_code(self, address: Address) -> bool:
        """Say whether a contract is at *address*, at the latest state of the first healthy node."""


class Guard(Protocol):
    """
    The guard contract between the operators and the Authority, as the nodes of ``RPC_URL`` show it.

    Every method raises ChainUnavailable when no node gives a whole answer, and WrongChain when every node
    serves another chain.
    """

    def pay(self, *orders: Order) -> Call:
        """Return the call that pays *orders* through the guard of the settings."""

    def probe(self, operator: Address) -> Call:
        """Return a payment of one token unit to *operator* through the guard; it is only ever simulated."""

    async def simulate(self, operator: Address, calls: Sequence[Call], *, node: str = "") -> Sequence[Simulation]:
        """Try *calls* as *operator* against the latest state with the gas that would be signed, each alone."""

    async def direct_payers(self, operators: Sequence[Address], *, node: str = "") -> Sequence[Address]:
        """Return those of *operators* that the Authority would let pay without the guard, now."""

    async def payment(self, guard: Address, ref_id: Hash) -> GuardPayment | None:
        """
        Return the one payment of *ref_id* that *guard* recorded, as two nodes show it where two are configured.

        None where it recorded none. At the latest state: whether the payment is final is for the caller to judge.

        Raises:
            ChainUnavailable: Too few nodes answer, or they disagree.
        """

    async def facts(
        self, guard: Address, operators: Sequence[Address], others: Sequence[Address], *, block: int
    ) -> GuardFacts | None:
        """
        Return *guard* as *block* shows it, with two equal words where two nodes are configured.

        None when there is no guard. *operators* may be its hot keys; they and *others* may bypass it.
        """

    async def unrecorded(self, guard: Address, ref_ids: Sequence[Hash], *, block: int) -> Sequence[Hash]:
        """Return those of *ref_ids* that *guard* has no payment of in *block*, with two equal words."""

    async def pasts(self, guard: Address, since: int) -> Sequence[GuardPast]:
        """
        Return what each healthy node shows that *guard* recorded after its head was *since*; 0: from the beginning.

        At the latest state. Each is walked back from the head, link by link, until it meets *since*.
        """

    async def agreed_past(self, guard: Address, since: int, *, block: int) -> Sequence[GuardLink]:
        """Return the same as *block* shows it, with two equal words where two nodes are configured."""

    async def aclose(self) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class UnsignedTransaction:
    """A transaction before its signature; the value is always 0."""

    chain_id: int
    nonce: int
    call: Call
    gas_limit: int
    fees: Fees


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedTransaction:
    """The bytes a node takes, and the hash they will have."""

    raw: bytes
    tx_hash: Hash


class Signer(Protocol):
    """
    One operator key.

    A key in memory gives the same bytes for the same input (RFC 6979), a key in a vault does not. Nobody
    may rely on it: what counts is the bytes that are stored, before anyone sees them, and handed over again.
    """

    @property
    def address(self) -> Address: ...

    async def sign(self, unsigned: UnsignedTransaction) -> SignedTransaction:
        """Sign. Raises SignerUnavailable when the key's vault does not sign now; nothing is bound then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """Something a person should look at: what happened, and what to do next."""

    code: str
    summary: str
    action: str
    subject: str = ""
    """The order, transaction or address it is about."""


class Alarms(Protocol):
    """Where alarms go. Raising one never fails and never stops the work."""

    async def raise_(self, alarm: Alarm) -> None: ...


class Queues(Protocol):
    """The queues of wake-ups. Each call raises StoreUnavailable if the service does not answer in time."""

    async def put(self, queue: str, text: str) -> None:
        """Add a message; a queue that is missing is made."""
        ...

    async def count(self, queue: str) -> int:
        """Return how many messages a queue holds, hidden ones too."""
        ...

    async def oldest(self, queue: str) -> Oldest:
        """Return when the first messages that anybody could take now were put."""
        ...


class Counters(Protocol):
    """Counters of requests, each for one name and rate. Both raise CountersUnavailable."""

    async def left(self, name: str, rate: Rate) -> Window:
        """Return what is left for *name*; counts nothing."""

    async def take(self, name: str, rate: Rate) -> Window:
        """Count one request of *name* and return what is left then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeHead:
    """Where one node is: the chain it serves, and its newest block."""

    chain_id: int
    number: int
    place: int = 0
    """Its place in ``RPC_URL``, from 0."""


class Heads(Protocol):
    """The nodes of ``RPC_URL``, asked for no more than where they are."""

    async def heads(self) -> Sequence[NodeHead]:
        """Return the head of every node that answers; a silent node is left out, and nothing is raised."""
