"""A chain in memory behind the ``Chain`` port, and the verbs that bring it into trouble."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from distributor.addresses import keccak256
from distributor.chain_types import (
    Block,
    Call,
    ChainSnapshot,
    Claim,
    Counts,
    FeeQuote,
    Mark,
    PoolView,
    PreBindSnapshot,
    Receipt,
    Simulation,
    Submitted,
    Transfer,
    Word,
)
from distributor.errors import ChainUnavailable, WrongChain
from distributor.model import Address, Fees, Hash, Order, SubmitOutcome
from distributor.payout.guard_calls import gas_of, is_guarded
from distributor.ports import NodeHead, UnsignedTransaction
from distributor.units import TokenUnits, Wei
from foundation.errors import InvariantBroken
from tests.fakes.chain_state import (
    AUTHORITY,
    CUSTOMERS,
    OPERATOR,
    PLAIN_GAS,
    RESERVE,
    TOKEN,
    Behaviour,
    Mined,
    Pool,
    Rules,
    State,
    asked_for,
    attempt,
    call_guard,
    distribute_data,
    execute,
)
from tests.fakes.signer import FakeSigner, Sent, read_signed

__all__ = ["AUTHORITY", "CUSTOMERS", "OPERATOR", "RESERVE", "TOKEN", "Behaviour", "FakeChain", "FakeSigner"]

FINALITY_DEPTH = 2
"""Blocks between the head and the finalized block, as on the local chain."""
_ENOUGH_UNITS = 10**27
_ENOUGH_WEI = 10**22


@dataclass(kw_only=True)
class NodeView:
    """What one node says otherwise than the chain is: of receipts, of blocks, of how far the chain has come."""

    receipt: Callable[[Receipt], Receipt | None] = lambda receipt: receipt
    forks: frozenset[int] = frozenset()
    """Numbers at which the node shows another block."""
    unreadable: set[Hash] = field(default_factory=set)
    invented: dict[Hash, Receipt] = field(default_factory=dict)
    """Receipts that the node shows of what is in no block, in blocks that there are; it counts their nonces too."""
    mark: Mark | None = None
    """What the node says of how far the chain and finality have come, where it is not the truth."""

    def shown(self, receipt: Receipt | None, tx_hash: Hash) -> Receipt | None:
        if receipt is None and tx_hash in self.invented:
            return self.invented[tx_hash]
        return None if receipt is None or receipt.tx_hash in self.unreadable else self.receipt(receipt)

    def block_hash(self, place: Block) -> Hash:
        return _hash(f"fork of {place.block_hash}") if place.number in self.forks else place.block_hash


class FakeChain:
    """
    One chain behind one or more nodes; a block only when a test says so.

    Bytes come from a ``FakeSigner`` or a real key. ``rules`` may be changed at any time; verbs say
    what happens on the chain or on the way to it. ``handed`` holds every transaction that was ever
    handed to a node, lost answers included, and ``calls`` counts the port's methods.
    """

    def __init__(
        self,
        *,
        operators: Sequence[Address] = (OPERATOR,),
        nodes: Sequence[str] = ("fake",),
        finality_depth: int = FINALITY_DEPTH,
    ) -> None:
        self.rules = Rules(token=TOKEN, authority=AUTHORITY, reserve=RESERVE, operators=set(operators))
        self.chain_id = 31337
        self.handed: list[Sent] = []
        self.calls: Counter[str] = Counter()
        self.on_submit: Callable[[Sent], None] = lambda _: None
        """Called with each transaction before a node sees it: is it in the ledger already?"""
        self._nodes = nodes
        state = State(
            gas_wei=dict.fromkeys(operators, _ENOUGH_WEI),
            tokens={RESERVE: _ENOUGH_UNITS},
            allowance_units=_ENOUGH_UNITS,
        )
        self._salt = 0
        self._blocks = [Mined(place=self._place(0, ""), state=state, receipts={}, sent=())]
        self._pool = Pool()
        self._lag = 0
        self.batch_max: int | None = None
        """More calls than this at once no node answers, however they are cut."""
        self._finality_depth = finality_depth
        self._finalized: Callable[[int], int | None] = self._far_enough
        self._down: set[str] = set()
        self._elsewhere = False
        self._hidden: set[Hash] = set()
        self._views: dict[str, NodeView] = {}
        self._refusals: list[SubmitOutcome] = []
        self._lost_answers: list[bool] = []

    # the port ----------------------------------------------------------------------------------

    async def heads(self) -> Sequence[NodeHead]:
        """Return the newest block of every node that is up."""
        up = [place for place, node in enumerate(self._nodes) if node not in self._down]
        return [NodeHead(chain_id=self.chain_id, number=self.head.number, place=place) for place in up]

    @property
    def nodes(self) -> Sequence[str]:
        return self._nodes

    def pay(self, *orders: Order) -> Call:
        (order,) = orders
        data = distribute_data(order.wallet, order.amount_units, bytes.fromhex(order.ref_id[2:]), order.reason)
        return Call(to=self.rules.authority, data=data)

    def probe(self, operator: Address) -> Call:
        data = distribute_data(operator, TokenUnits(1), b"\0probe".ljust(32, b"\0"), "probe")
        return Call(to=self.rules.authority, data=data)

    async def has_code(self, address: Address) -> bool:
        self._asked("has_code")
        at_token = address == self.rules.token and self.rules.token_has_code
        return at_token or (address == self.rules.authority and self.rules.authority_has_code)

    async def pre_bind_snapshot(self, operator: Address) -> PreBindSnapshot:
        node, head = self._asked("survey"), self._seen[-1]
        state = head.state
        return PreBindSnapshot(
            node=node,
            head=head.place,
            finalized_number=self._shown_final(node),
            nonce=state.nonces.get(operator, 0),
            gas_balance_wei=Wei(state.gas_wei.get(operator, 0)),
            reserve_units=TokenUnits(state.tokens[RESERVE] if self.rules.token_has_code else 0),
            allowance_units=TokenUnits(state.allowance_units if self.rules.token_has_code else 0),
            token_has_code=self.rules.token_has_code,
            authority_has_code=self.rules.authority_has_code,
            market=self._market,
            decimals=18,
        )

    async def simulate(self, operator: Address, calls: Sequence[Call], *, node: str = "") -> Sequence[Simulation]:
        self._asked("simulate", node, size=len(calls))
        return [self._simulation(operator, call) for call in calls]

    async def snapshot(
        self, operators: Sequence[Address], hashes: Sequence[Hash], blocks: Sequence[int], *, node: str = ""
    ) -> ChainSnapshot:
        node = self._asked("observe", node, size=len(hashes))
        seen, said = self._seen, self.said_by(node)
        receipts = {tx_hash: said.shown(self._receipt(tx_hash), tx_hash) for tx_hash in hashes}
        return ChainSnapshot(
            node=node,
            head=seen[-1].place,
            finalized_number=self._shown_final(node),
            nonces={each: seen[-1].state.nonces.get(each, 0) + self._invented(each, said) for each in operators},
            receipts={tx_hash: receipt for tx_hash, receipt in receipts.items() if receipt is not None},
            canonical={number: said.block_hash(seen[number].place) for number in blocks if number < len(seen)},
            market=self._market,
            unreadable=frozenset(said.unreadable & set(hashes)),
        )

    def _shown_final(self, node: str) -> int | None:
        mark = self.said_by(node).mark
        return mark.finalized_number if mark else self._finalized(self._seen[-1].place.number)

    async def words(self, claims: Sequence[Claim], *, node: str, mark: Mark | None = None) -> Mapping[Hash, Word]:
        self._asked("words", node, size=len(claims))
        seen, said = self._seen, self.said_by(node)
        known = mark or said.mark or Mark(seen[-1].place.number, self._finalized(seen[-1].place.number))
        words = dict[Hash, Word]()
        for tx_hash, number in claims:
            receipt = said.shown(self._receipt(tx_hash), tx_hash)
            canonical = said.block_hash(seen[number].place) if number < len(seen) else None
            silent = known.head_number < number if receipt is None else canonical is None
            if not silent and tx_hash not in said.unreadable:
                words[tx_hash] = Word(node=node, mark=known, receipt=receipt, canonical=canonical)
        return words

    def _invented(self, operator: Address, said: NodeView) -> int:
        """Return how many more transactions of *operator* a node counts than there are."""
        unmined = [
            sent for sent in self.handed if sent.tx_hash in said.invented and self._receipt(sent.tx_hash) is None
        ]
        return len({sent.unsigned.nonce for sent in unmined if sent.sender == operator})

    async def pool_views(self, operators: Sequence[Address]) -> Sequence[PoolView]:
        self._asked("pool_views")
        nonces = self._seen[-1].state.nonces
        counts = {each: self._counts(each, nonces.get(each, 0)) for each in operators}
        up = [node for node in self._nodes if node not in self._down]
        return [PoolView(node=node, counts=counts) for node in up]

    async def submit(self, raws: Sequence[bytes]) -> Sequence[Submitted]:
        self.calls["submit"] += 1
        return [self._submit(read_signed(raw)) for raw in raws]

    async def aclose(self) -> None:
        """Nothing is open."""

    # what a test makes happen ------------------------------------------------------------------

    def said_by(self, node: str) -> NodeView:
        """Return what one node says otherwise than the chain is; a test may change it."""
        return self._views.setdefault(node, NodeView())

    def mine(self, blocks: int = 1) -> None:
        """Make blocks; the first holds all that can be mined, each sender's in the order of its nonces."""
        for _ in range(blocks):
            self._append(self._pool.minable(self._state, self.rules))

    def drop(self, tx_hash: Hash) -> None:
        """Let every pool forget a transaction."""
        self._pool.drop(tx_hash)

    def arrive(self, sent: Sent) -> None:
        """Let bytes reach a pool that were handed over long ago, or dropped."""
        self._pool.take(sent, self._state)

    def reorg(self, depth: int, *, keep: bool = True) -> None:
        """Replace the last *depth* blocks by empty ones; their transactions go back to the pool, or are forgotten."""
        left = self._blocks[-depth:]
        self._blocks = self._blocks[:-depth]
        self._salt += 1
        if keep:
            self._pool.put_back(sent for block in left for sent in block.sent)
        for _ in range(depth):
            self._append([])

    def lag(self, blocks: int) -> None:
        """Show the chain as it was *blocks* ago, until 0 is given."""
        self._lag = blocks

    def spend_nonce(self, operator: Address, call: Call | None = None) -> Hash:
        """Mine a transaction of *operator*'s key that nobody here signed, asking *call* or nothing; return its hash."""
        nonce = self._state.nonces.get(operator, 0)
        call = call or Call(to=operator, data=b"")
        fees = Fees(max_fee_wei=Wei(10**11), tip_wei=Wei(10**9))
        unsigned = UnsignedTransaction(chain_id=self.chain_id, nonce=nonce, call=call, gas_limit=300_000, fees=fees)
        rival = Sent(tx_hash=_hash(f"rival:{operator}:{nonce}"), sender=operator, unsigned=unsigned)
        self._append([rival])
        return rival.tx_hash

    def refuse(self, outcome: SubmitOutcome, times: int = 1) -> None:
        """Answer the next *times* submitted bytes with *outcome*; no pool takes them."""
        self._refusals += [outcome] * times

    def lose_answers(self, times: int = 1, *, acted: bool) -> None:
        """Lose the answers to the next *times* submitted bytes, after the pool took them (*acted*) or before."""
        self._lost_answers += [acted] * times

    def hide_receipt(self, tx_hash: Hash, *, hidden: bool = True) -> None:
        """Answer as if *tx_hash* were in no block, until that is ended."""
        (self._hidden.add if hidden else self._hidden.discard)(tx_hash)

    def miss_finality(self) -> None:
        """Know of no finalized block."""
        self._finalized = lambda _: None

    def stall_finality(self) -> None:
        """Keep the finalized block where it is now."""
        number = self._far_enough(self.head.number)
        self._finalized = lambda _: number

    def resume_finality(self) -> None:
        self._finalized = self._far_enough

    def calm(self) -> None:
        """Answer everything from now on, truly and at once."""
        self._lag, self._elsewhere, self.batch_max = 0, False, None
        self._hidden.clear()
        self._views.clear()
        self._refusals.clear()
        self._lost_answers.clear()
        self.come_back()
        self.resume_finality()

    def go_down(self, node: str = "") -> None:
        """Let a node answer nothing; every node when none is named."""
        self._down |= {node} if node else set(self._nodes)

    def come_back(self) -> None:
        self._down.clear()

    def serve_other_chain(self, *, elsewhere: bool = True) -> None:
        """Let every node be one of another chain."""
        self._elsewhere = elsewhere

    def set_base_fee(self, base_fee_wei: Wei | None) -> None:
        self.rules.base_fee_wei = base_fee_wei

    def pause_authority(self, *, paused: bool = True) -> None:
        self.rules.paused = paused

    def revoke_role(self, operator: Address) -> None:
        self.rules.operators.discard(operator)

    def grant_role(self, operator: Address) -> None:
        self.rules.operators.add(operator)

    def set_reserve(self, amount_units: TokenUnits) -> None:
        self._state.tokens[RESERVE] = amount_units

    def set_allowance(self, amount_units: TokenUnits) -> None:
        self._state.allowance_units = amount_units

    def set_gas(self, operator: Address, balance_wei: Wei) -> None:
        self._state.gas_wei[operator] = balance_wei

    # what a test looks at ----------------------------------------------------------------------

    @property
    def head(self) -> Block:
        return self._blocks[-1].place

    @property
    def finalized_number(self) -> int | None:
        """The finalized block as the newest node shows it."""
        return self._finalized(self.head.number)

    @property
    def pooled(self) -> Sequence[Sent]:
        """What waits in the pool, in the order of the nonces."""
        return [*self._pool]

    @property
    def receipts(self) -> Sequence[Receipt]:
        """The receipts of the chain as it is now, in order."""
        return [receipt for block in self._blocks for receipt in block.receipts.values()]

    def balance_of(self, wallet: Address) -> TokenUnits:
        return TokenUnits(self._state.tokens.get(wallet, 0))

    @property
    def state(self) -> State:
        """The newest state as the nodes show it."""
        return self._seen[-1].state

    def asked(self, method: str, node: str = "") -> str:
        """Count a call of another port on this chain; raise as its nodes would."""
        return self._asked(method, node)

    # inside ------------------------------------------------------------------------------------

    @property
    def _state(self) -> State:
        return self._blocks[-1].state

    @property
    def _seen(self) -> Sequence[Mined]:
        return self._blocks[: max(1, len(self._blocks) - self._lag)]

    @property
    def _market(self) -> FeeQuote:
        base_fee_wei, tip_wei = self.rules.base_fee_wei, self.rules.tip_wei
        return FeeQuote(base_fee_wei=base_fee_wei, tip_wei=tip_wei, gas_price_wei=Wei((base_fee_wei or 0) + tip_wei))

    def _far_enough(self, head: int) -> int:
        return max(0, head - self._finality_depth)

    def _asked(self, method: str, node: str = "", *, size: int = 1) -> str:
        """Count the call and return the node that answers it."""
        self.calls[method] += 1
        if self.batch_max is not None and size > self.batch_max:
            raise ChainUnavailable
        if node and node not in self._nodes:
            raise InvariantBroken(f"no node is called {node}")
        up = [each for each in ([node] if node else self._nodes) if each not in self._down]
        if self._elsewhere:
            raise WrongChain
        if not up:
            raise ChainUnavailable
        return up[0]

    def _simulation(self, operator: Address, call: Call) -> Simulation:
        """Estimate as a node does: a guarded call reverts as a whole or not at all, whatever becomes of its items."""
        seen = self._seen[-1]
        state = seen.state
        if call.to == self.rules.guard and is_guarded(call.data):
            done = call_guard(state.copy(), self.rules, operator, call.data, (_hash("tried"), seen.place))
            return Simulation(revert=done.refusal) if done.refusal else Simulation(gas=gas_of(call.data))
        _, revert = attempt(state, self.rules, operator, call)
        gas = self.rules.distribute_gas if call.to == self.rules.authority else PLAIN_GAS
        return Simulation(revert=revert) if revert else Simulation(gas=gas)

    def _counts(self, operator: Address, latest: int) -> Counts:
        """Count as a node does: what waits behind a gap is not pending."""
        held = {sent.unsigned.nonce for sent in self._pool if sent.sender == operator}
        pending = latest
        while pending in held:
            pending += 1
        return Counts(latest, pending)

    def _receipt(self, tx_hash: Hash) -> Receipt | None:
        found = (block.receipts[tx_hash] for block in self._seen if tx_hash in block.receipts)
        return None if tx_hash in self._hidden else next(found, None)

    def _submit(self, sent: Sent) -> Submitted:
        self.on_submit(sent)
        self.handed.append(sent)
        if self._elsewhere or self._down >= set(self._nodes):
            return Submitted(outcome=SubmitOutcome.UNKNOWN, detail="no node answers")
        if self._lost_answers:
            if self._lost_answers.pop(0):
                self._pool.take(sent, self._state)
            return Submitted(outcome=SubmitOutcome.UNKNOWN, detail="the answer was lost")
        if self._refusals:
            return Submitted(outcome=self._refusals.pop(0), node=self._nodes[0], detail="told to refuse")
        wrong_chain = sent.unsigned.chain_id != self.chain_id
        outcome = SubmitOutcome.REFUSED if wrong_chain else self._pool.take(sent, self._state)
        return Submitted(outcome=outcome, node=self._nodes[0], rivalled=outcome is SubmitOutcome.UNDERPRICED)

    def _append(self, sent: Sequence[Sent]) -> None:
        parent = self._blocks[-1]
        place = self._place(parent.place.number + 1, parent.place.block_hash)
        state = parent.state.copy()
        receipts = [execute(state, self.rules, one, place, log_index=at) for at, one in enumerate(sent)]
        self._pool.forget_spent(state)
        numbered = {receipt.tx_hash: receipt for receipt in receipts}
        self._blocks.append(Mined(place=place, state=state, receipts=numbered, sent=tuple(sent)))

    def _place(self, number: int, parent: str) -> Block:
        return Block(number=number, block_hash=_hash(f"{parent}:{number}:{self._salt}"))


def _hash(text: str) -> Hash:
    return Hash(f"0x{keccak256(text.encode()).hex()}")


def promised(chain: FakeChain, tx_hash: Hash) -> tuple[Transfer, ...]:
    """Return the transfer that a transaction asked for, whether it was made or not; none of what asked for none."""
    sent = next((one for one in chain.handed if one.tx_hash == tx_hash), None)
    return () if sent is None else asked_for(chain.rules, sent.unsigned.call)
