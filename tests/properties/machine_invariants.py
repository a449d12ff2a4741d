"""What must hold after every step: the rules of the payout, said without the code that keeps them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eth_abi.abi import decode

from distributor.chain_types import Receipt, Transfer
from distributor.ledger import keys
from distributor.model import Hash
from distributor.payout.guard_calls import is_guarded
from foundation.errors import ServiceError
from foundation.tablestore.codec import OWNER
from foundation.tablestore.ports import DeleteRow, InsertRow, ReplaceRow, Row, RowWrite
from tests.fakes.chain import RESERVE, FakeChain
from tests.fakes.signer import Sent
from tests.properties.machine_approvals import Approvals
from tests.properties.machine_books import Books, Values, of, units_of
from tests.properties.machine_harm import hold
from tests.properties.machine_loop import current_job
from tests.properties.machine_tally import TALLY
from tests.properties.machine_world import World

_PROMISES = ("wallet", "amount_units", "ref_id", "fingerprint", "received_ms")
_MOVES = {
    "received": {"received", "assigned", "held", "cancelled"},
    "assigned": {"assigned", "paid", "held"},
    "held": {"held", "received", "cancelled"},
    "paid": {"paid"},
    "cancelled": {"cancelled"},
}
_GUARDED_MOVES = {
    "received": {"paid"},
    "assigned": {"received"},
    "held": {"paid"},
    "paid": set[str](),
    "cancelled": {"paid"},
}
"""What the guard's record allows besides: a failed item is bound again; what another transaction paid is paid."""


class Watchman:
    """Looks at every group and every submission as it happens, and at the whole after each step."""

    def __init__(self, world: World) -> None:
        self.world, self.books = world, Books(world)
        self.approvals = Approvals(world)
        self.gas_limits: dict[str, int] = {}
        self.refs: dict[str, str] = {}
        """The reference on chain of each hash ever handed over."""
        world.rows.on_done = self.see_group
        world.chain.on_submit = self.see_submission

    # as it happens -----------------------------------------------------------------------------

    def see_submission(self, sent: Sent) -> None:
        """Stored before submitted: a crash right after this must find the bytes in the ledger."""
        nonce = sent.unsigned.nonce
        prefix = f"attempt:{sent.sender}:{nonce:020d}:"
        job = current_job()
        late = self.world.halted_for_good and job not in self.world.post.stragglers
        hold(
            not late or job.name.startswith(("cancel nonce", "resubmit", "rebuild")),
            "nothing is submitted behind a halt",
            (job.name, nonce),
        )
        stored = {row["tx_hash"] for key, row in self._starting((prefix, f"fence:{sent.sender}:{nonce:020d}"))}
        hold(
            sent.tx_hash in stored | self.world.found.signed or bool(self.world.lost),
            "stored before submitted",
            f"nonce {nonce}, {sent.tx_hash}",
        )
        if len(sent.unsigned.call.data) > 4 and not is_guarded(sent.unsigned.call.data):
            _, _, ref, _ = decode(("address", "uint256", "bytes32", "string"), sent.unsigned.call.data[4:])
            self.refs[sent.tx_hash] = f"0x{ref.hex()}"
        self.gas_limits[sent.tx_hash] = sent.unsigned.gas_limit

    def see_group(self, group: Sequence[RowWrite], rows: Mapping[str, Row]) -> None:
        """Judge a group that is about to be done, against the rows as they are."""
        binds = any(isinstance(write, InsertRow) and write.key.startswith("tx:") for write in group)
        if self.world.lost and any(write.key == keys.IDENTITY for write in group):
            self.world.rebuilt(rows, group)
            return
        if self.world.lost:
            hold(not (binds and self.world.lost == "emptied"), "nothing is bound on an emptied ledger", len(group))
            return
        self.approvals.look(group, rows)
        for write in group:
            self._judge(write, rows.get(write.key))
        if binds:
            hold(not self.world.paused_for_good, "nothing is bound behind a pause", [write.key for write in group])

    def _judge(self, write: RowWrite, before: Row | None) -> None:
        """Judge one row of a group."""
        kind = write.key.partition(":")[0]
        if before is not None and _only_erases(write, before):
            return
        if kind in {"attempt", "ref"}:
            appended = isinstance(write, InsertRow) and before is None
            hold(appended, "attempts and references are append-only", write.key)
        if kind == "tx":
            hold(not _final(before), "what is final stays as it is", write.key)
        if kind == "order" and before is not None:
            hold(not isinstance(write, DeleteRow), "an order is never removed", write.key)
            if not isinstance(write, DeleteRow):
                self._see_erasure(write, before)
                _check_move(write, before.values, guarded=self.world.guarded)

    def _see_erasure(self, write: RowWrite, before: Row) -> None:
        """Keep what an order was before its data is erased."""
        if isinstance(write, ReplaceRow) and "purged_ms" in write.values and "purged_ms" not in before.values:
            TALLY["orders erased"] += 1
            self.world.erased[write.key] = before.values

    # after each step ---------------------------------------------------------------------------

    def look(self) -> None:
        """Check everything that can be seen in the ledger and on the chain."""
        rows = self.world.whole(self.world.rows.dump())
        orders = of(rows, "order:")
        if self.world.lost:
            self._transfers(orders)
            return
        self.books.look(rows, orders)
        self._chain(orders)
        self._answers()
        torn = [alarm.subject for alarm in self.world.alarms.raised if alarm.code == "row_unreadable"]
        hold(not torn, "no sound row is called unreadable", torn)

    def _transfers(self, orders: Sequence[Values]) -> Mapping[str, str]:
        """Every transfer pays one order, in full, to its wallet; return what paid each reference."""
        by_ref = {str(order["ref_id"]): order for order in orders}
        paid_by: dict[str, str] = {}
        owed: set[str] = set()
        for receipt in self.world.chain.receipts:
            self._gas(receipt)
            for transfer in receipt.transfers:
                ref = self._ref_of(receipt, transfer)
                order = by_ref.get(ref)
                debt = self.world.owed(str(order["source"]), str(order["order_id"]), ref) if order else ref
                hold(debt not in owed, "an order is paid at most once", (ref, receipt.tx_hash))
                owed.add(debt)
                paid_by[ref] = receipt.tx_hash
                hold(order is not None or bool(self.world.lost), "a transfer belongs to an order", ref)
                if order is None:
                    continue
                meant = (RESERVE, order["wallet"], int(order["amount_units"]))
                seen = (transfer.sender, transfer.recipient, transfer.amount_units)
                free = bool(self.world.lost) or receipt.tx_hash in self.world.found.explained
                hold(seen == meant or free, "an order is paid in full to its wallet", (seen, meant))
        return paid_by

    def _chain(self, orders: Sequence[Values]) -> None:
        """Every paid order has its own transfer, and what is held or cancelled has none."""
        paid_by = self._transfers(orders)
        for order in orders:
            proof = paid_by.get(str(order["ref_id"]))
            if order["status"] == "paid":
                hold(proof == order["paid_hash"], "what is paid has its transfer, for ever", (order["order_id"], proof))
            if order["status"] in {"held", "cancelled"}:
                ours = proof is not None and proof not in self._explained
                hold(not ours, "what is held or cancelled is not paid", (order["order_id"], proof))

    @property
    def _explained(self) -> set[Hash]:
        """Payments that belong to no paid order here: another ledger's, and those of an order that came otherwise."""
        return self.world.paid_elsewhere | self.world.found.explained

    def _ref_of(self, receipt: Receipt, transfer: Transfer) -> str:
        """Return what a transfer is for: the guard says it in the event behind it, else the call has one item."""
        said = (event.ref_id for event in receipt.guard_events if event.log_index == transfer.log_index + 1)
        return next(said, None) or self.refs[receipt.tx_hash]

    def _gas(self, receipt: Receipt) -> None:
        enough = (
            receipt.succeeded
            or receipt.tx_hash not in self.gas_limits
            or receipt.gas_used < self.gas_limits[receipt.tx_hash]
        )
        hold(enough, "no payment fails for want of gas", receipt.tx_hash)

    def _answers(self) -> None:
        """A shop hears once that its order is new, and not that it is known when it was the first."""
        for key, times in self.world.new.items():
            hold(times <= 1, "an order is new once", (key, times))
            first = self.world.asked[key] > 1 or times == 1
            hold(first, "what is new is answered as new", key)

    def see_ended(self, errors: Sequence[BaseException]) -> None:
        """An invocation that ends with trouble no handler expects has met a bug."""
        for error in errors:
            if not isinstance(error, ServiceError):
                raise error
            if self.world.lost:
                continue  # rows that belong together were torn apart: it says so and stops
            hold(condition=False, rule="no rule of the code itself is broken", detail=error)

    # at the end of a history -------------------------------------------------------------------

    def ended(self) -> None:
        """Faults have stopped and nothing moves any more: every order has its end, and the money adds up."""
        self.look()
        if self.world.lost:
            return
        rows = self.world.whole(self.world.rows.dump())
        orders = of(rows, "order:")
        unfinished = [(order["order_id"], order["status"]) for order in orders if order["status"] not in _ENDS]
        hold(not unfinished, "everything ends paid, held or cancelled", (unfinished, rows.get("waiting")))
        hold(not of(rows, "opentx:"), "everything ends paid, held or cancelled", "transactions are open")
        paid = units_of(order["amount_units"] for order in orders if order["status"] == "paid")
        gone = self.world.reserve_units - self.world.chain.balance_of(RESERVE)
        paid += self._paid_beside(orders)
        hold(gone == paid, "the reserve has lost what was paid, to the unit", (gone, paid))
        _held_for_cause(orders, self.world.chain)

    def _paid_beside(self, orders: Sequence[Values]) -> int:
        """Return what another ledger paid of orders that are held or cancelled here: ``retry`` asks the guard first."""
        settled = {str(order["ref_id"]) for order in orders if order["status"] == "paid"}
        theirs = [each for each in self.world.chain.receipts if each.tx_hash in self._explained]
        moved = [(self._ref_of(receipt, each), each) for receipt in theirs for each in receipt.transfers]
        return sum(transfer.amount_units for ref, transfer in moved if ref not in settled)

    def told(self, codes: set[str]) -> None:
        """All that is held, waits or is open at the end of a history has had its alarm, whichever host died."""
        rows = self.world.rows.dump()
        held = {"held_" + str(order["hold_reason"]) for order in of(rows, "order:") if order["status"] == "held"}
        hold(held <= codes, "what is held was told", (held - codes, sorted(codes)))
        reason = rows.get("waiting", {}).get("reason")
        waits = {"waiting_" + str(reason)} if reason and of(rows, "open:") else set[str]()
        hold(waits <= codes, "what waits was told", (waits - codes, sorted(codes)))
        stuck = [order["order_id"] for order in of(rows, "order:") if order["status"] not in _ENDS]
        hold(not (stuck and not codes), "what is not paid is told", stuck)
        open_long = not of(rows, "opentx:") or "transaction_open_long" in codes
        hold(open_long, "what stays open was told", sorted(codes))

    def _starting(self, prefix: tuple[str, ...]) -> Iterator[tuple[str, Values]]:
        return ((key, row) for key, row in self.world.rows.dump().items() if key.startswith(prefix))


_BYTES = {"tx": "data", "attempt": "raw"}
"""What an erasure empties of a final transaction."""
_ERASABLE = {"paid", "cancelled"}
_ENDS = {"paid", "held", "cancelled"}


def _held_for_cause(orders: Sequence[Values], chain: FakeChain) -> None:
    receipts = {receipt.tx_hash: receipt for receipt in chain.receipts}
    for order in orders:
        reason = order.get("hold_reason")
        if reason in {"reverted", "no_transfer", "nonce_cancelled"}:
            receipt = receipts.get(Hash(str(order["paid_hash"])))
            there = receipt is not None and receipt.succeeded == (reason != "reverted") and not receipt.transfers
            hold(there, "what is held has failed for ever", (order["order_id"], reason, receipt))


def _check_move(write: Any, before: Values, *, guarded: bool) -> None:
    erases = "purged_ms" in write.values and "purged_ms" not in before and before["status"] in _ERASABLE
    for name in _PROMISES:
        if name == "wallet" and erases and write.values["wallet"] == "":
            continue
        hold(write.values.get(name) == before.get(name), "the first content stands", (write.key, name))
    move = (str(before["status"]), str(write.values["status"]))
    allowed = _MOVES[move[0]] | (_GUARDED_MOVES[move[0]] if guarded else set())
    hold(move[1] in allowed, "an order goes its way and never back", (write.key, *move))


def _only_erases(write: RowWrite, before: Row) -> bool:
    """Say whether a group empties the bytes of a final transaction or its attempt, and changes nothing else."""
    kind = write.key.partition(":")[0]
    if kind not in _BYTES or not isinstance(write, ReplaceRow) or write.values[_BYTES[kind]] != b"":
        return False
    other = {name for name in {*write.values, *before.values} if write.values.get(name) != before.values.get(name)}
    return other <= {_BYTES[kind], OWNER} and (kind != "tx" or _final(before))


def _final(row: Row | None) -> bool:
    return row is not None and row.values["status"] == "final"
