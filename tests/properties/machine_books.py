"""What must hold of the ledger's rows among themselves: totals, days, the places of orders, nonces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from distributor.model import Address
from foundation.clock import UnixMs, utc_day
from foundation.tablestore.ports import Value
from tests.properties.machine_harm import hold
from tests.properties.machine_world import World

Values = Mapping[str, Value]

_COUNTED = ("orders", "units", "payouts")
_HOMES = {
    "received": {"open"},
    "assigned": {"nonce"},
    "held": {"held"},
    "paid": {"final"},
    "cancelled": set[str](),
}


class Books:
    """Looks at the rows as they are after a step."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.kept: dict[str, tuple[str, str, int]] = {}
        """Day, wallet and units of each payout that succeeded and moved nothing."""
        self.rebuilds = 0

    def look(self, rows: Mapping[str, Values], orders: Sequence[Values]) -> None:
        """Check every total against what it totals, and every order and nonce for its one place."""
        transactions = of(rows, "tx:")
        if self.world.found.times > self.rebuilds:
            self.rebuilds = self.world.found.times
            self.kept.clear()
        self._books(rows, orders, transactions)
        self._days(rows, orders, transactions)
        self._charts(rows, orders)
        self._homes(rows, orders, transactions)
        _nonces(rows, transactions, self.world)

    def _books(self, rows: Mapping[str, Values], orders: Sequence[Values], transactions: Sequence[Values]) -> None:
        """The totals are the sums of what they total."""
        bound = units_of(tx["committed_units"] for tx in transactions if tx["status"] != "final")
        paid = units_of(order["amount_units"] for order in orders if order["status"] == "paid")
        assigned = units_of(order["amount_units"] for order in orders if order["status"] == "assigned")
        committed = int(rows["commitments"]["units"])
        hold(committed == bound == assigned, "commitments are the open transactions", (committed, bound, assigned))
        told = sum(int(row["orders_paid"]) for row in of(rows, "stats:"))
        bound_here = [order for order in orders if order.get("nonce") is not None and not self._was_found(order)]
        closed = [order for order in bound_here if order["status"] == "paid"]
        hold(told == len(closed), "the totals count what was paid", told)
        # A payment by another ledger, after the reserve was looked at, is nothing this ledger promised.
        elsewhere = [each for each in orders if each.get("paid_hash") in self.world.paid_elsewhere]
        promised = committed + paid - units_of(each["amount_units"] for each in elsewhere if each["status"] == "paid")
        hold(promised <= self.world.reserve_units, "no more is promised than the reserve holds", promised)

    def _keep_unproved(self, orders: Sequence[Values], transactions: Sequence[Values]) -> None:
        """Note what a payout took that succeeded and moved nothing: a broken path keeps its units counted."""
        mined = {tx.get("mined_hash"): tx for tx in transactions if tx["status"] == "final"}
        for order in orders:
            if order["status"] == "held" and order.get("hold_reason") == "no_transfer":
                hash_known = order["paid_hash"] in mined
                hold(hash_known, "what moved nothing has its final transaction", order["paid_hash"])
                if not hash_known:
                    continue
                day = str(mined[order["paid_hash"]]["bound_day"])
                key = f"{order['order_id']!s}:{order['paid_hash']!s}"
                self.kept[key] = (day, str(order["wallet"]), int(order["amount_units"]))

    def _days(self, rows: Mapping[str, Values], orders: Sequence[Values], transactions: Sequence[Values]) -> None:
        """Each day's totals are what was bound on it and not released, and stay below the caps."""
        days = {(tx["operator"], tx["nonce"]): str(tx["bound_day"]) for tx in transactions}
        bound = Counter[str]()
        for order in orders:
            if order.get("nonce") is not None and not self._was_found(order):
                day = days[order["operator"], order["nonce"]]
                bound[f"spent:{day}"] += int(order["amount_units"])
                bound[f"spent:{day}:{order['wallet']!s}"] += int(order["amount_units"])
        self._keep_unproved(orders, transactions)
        for day, wallet, units in self.kept.values():
            bound[f"spent:{day}"] += units
            bound[f"spent:{day}:{wallet}"] += units
        spent = {key: int(row["units"]) for key, row in rows.items() if key.startswith("spent:")}
        hold(+Counter(spent) == bound, "what was spent is bound or paid", (spent, bound))
        caps = self.world.caps
        for key, units in bound.items():
            most = caps.wallet_units if key.count(":") > 1 else caps.day_units
            hold(most is None or units <= most, "no day goes beyond its cap", (key, units, most))
        for tx in transactions:
            signed = utc_day(UnixMs(int(tx["bound_ms"])))
            hold(tx["bound_day"] == signed, "a binding counts on the day it is signed", (tx["nonce"], signed))

    def _charts(self, rows: Mapping[str, Values], orders: Sequence[Values]) -> None:
        """The days of the charts count each paid order once, but those that a rebuild found, and all that gas cost."""
        paid = [order for order in orders if order["status"] == "paid"]
        dated = [order for order in orders if order.get("paid_ms") is not None]
        unknown = [order for order in paid if order.get("paid_ms") is None and not self._was_found(order)]
        hold(all(order in paid for order in dated) and not unknown, "what is paid has its day", (dated, unknown))
        expected = Counter[tuple[str, str]]()
        for order in dated:
            day = f"day:{utc_day(UnixMs(int(order['paid_ms'])))}"
            expected[day, "orders"] += 1
            expected[day, "units"] += int(order["amount_units"])
            expected[day, "payouts"] += order.get("gas_cost_wei") is not None
            expected[day, "timed"] += 1
        days = {key: row for key, row in rows.items() if key.startswith("day:")}
        counted = Counter({(key, name): int(row[name]) for key, row in days.items() for name in _COUNTED})
        counted.update({(key, "timed"): sum(map(int, str(row["paid_within"]).split())) for key, row in days.items()})
        hold(+counted == +expected, "the days count what was paid", (counted, expected))
        gas = [sum(int(row["gas_used"]) for row in some) for some in (days.values(), of(rows, "stats:"))]
        hold(gas[0] == gas[1], "the days count what gas was used", gas)

    def _homes(self, rows: Mapping[str, Values], orders: Sequence[Values], transactions: Sequence[Values]) -> None:
        """Every order is in exactly one place."""
        unfinished = [tx for tx in transactions if tx["status"] != "final"]
        carried = Counter(key for tx in unfinished for key in str(tx["orders"]).split("\n"))
        finals = {str(tx["mined_hash"]) for tx in transactions if tx["status"] == "final"}
        finals |= self.world.paid_elsewhere | self.world.found.paid
        lines = Counter(key_of(row) for row in of(rows, "open:"))
        helds = Counter(key_of(row) for row in of(rows, "held:"))
        for order in orders:
            key = key_of(order)
            bound = order.get("nonce") is not None and order["status"] == "assigned"
            homes = {"open"} if lines.pop(key, 0) else set[str]()
            homes |= {"held"} if helds.pop(key, 0) else set()
            homes |= {"nonce"} if bound or carried[key] else set()
            homes |= {"final"} if order["status"] == "paid" and order.get("paid_hash") in finals else set()
            hold(homes == _HOMES[str(order["status"])], "an order is in one place", (key, order["status"], homes))
            hold(carried[key] == bound, "an order has one nonce at most", (key, carried[key]))
            empty = order["status"] in {"assigned", "paid"} or order.get("nonce") is None
            hold(empty, "a held or waiting order has no nonce", (key, order["status"], order.get("nonce")))
        hold(not lines and not helds, "every place belongs to an order", (lines, helds))

    def _was_found(self, order: Values) -> bool:
        """Say whether a rebuild found *order* paid: what was bound for it is forgotten."""
        return order.get("paid_hash") in self.world.found.paid


def _nonces(rows: Mapping[str, Values], transactions: Sequence[Values], world: World) -> None:
    """
    Bound nonces are distinct and gapless, and each open one is listed.

    From the one a rebuild found on; and but for those that somebody else has spent.
    """
    by_operator: dict[Address, list[int]] = {}
    for tx in transactions:
        by_operator.setdefault(Address(str(tx["operator"])), []).append(int(tx["nonce"]))
    for operator, nonces in by_operator.items():
        following = int(rows[f"nonce:{operator}"]["next"])
        began = world.found.first_nonces.get(operator, 0)
        bound = [nonce for nonce in nonces if nonce >= began]
        strays = {nonce for sender, nonce in world.strays if sender == operator and began <= nonce < following}
        sound = sorted([*bound, *strays.difference(bound)]) == list(range(began, following))
        hold(sound, "nonces are distinct and gapless", (operator, nonces, following))
    opened = {(row["operator"], row["nonce"]) for row in of(rows, "opentx:")}
    unfinished = {(tx["operator"], tx["nonce"]) for tx in transactions if tx["status"] != "final"}
    hold(opened == unfinished, "every open transaction is listed", (opened, unfinished))


def of(rows: Mapping[str, Values], prefix: str) -> list[Values]:
    """Return the rows whose keys begin so."""
    return [values for key, values in rows.items() if key.startswith(prefix)]


def key_of(row: Values) -> str:
    """Return the order that a row is about, as its keys say it."""
    return f"{row['source']!s}:{row['order_id']!s}"


def units_of(amounts: Iterator[Value]) -> int:
    """Return the sum of *amounts*, in token units."""
    return sum(int(amount) for amount in amounts)
