"""
Two versions of the whole code on one ledger: a deployment that rolls, and rolls back, while orders come.

Each host is killed, and comes back with another version, on the same storage and chain; the older ones are
what this repository was, not what a test believes it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import pytest

from devstack import paths, runs
from devstack.chaos.ground import SETTINGS, Ground, ground
from devstack.chaos.proof import Books, read_books, verdict
from devstack.chaos.shop import Shop
from devstack.console import Console
from devstack.contracts import Devchain
from tests.soak import older

SOON_S = 120.0
"""On a busy machine: the leases of a host that was killed, a sweep, and finality."""


@dataclass(frozen=True)
class Street:
    """Two hosts that change their version, and the shop that goes on selling."""

    ground: Ground
    shop: Shop

    def deploy(self, host: int, code: Path) -> None:
        """Kill a host; it comes back with *code*."""
        self.ground.releases[host].code = code
        self.ground.hosts[host].kill()
        self.ground.hosts[host].start()

    @property
    def books(self) -> Books:
        return read_books(self.ground.storage.running.connection_string, self.ground.settings)

    def waits_for(self, seen: Callable[[Books], bool], what: str) -> Books:
        """Return the ledger as soon as *seen* is true of it."""
        until_s = time.monotonic() + SOON_S
        while not seen(books := self.books):
            if time.monotonic() > until_s:
                pytest.fail(f"{what}: not seen; waiting: {books.rows.get('waiting')}")
            time.sleep(0.5)
        return books

    def pays_more(self, who: str) -> None:
        """Wait until more is bound, and all that was bound before is paid."""
        before = {key for key, row in self.books.rows.items() if key.startswith("tx:")}
        self.waits_for(lambda books: bool(_transactions(books) - before), f"{who} binds")
        self.waits_for(
            lambda books: all(books.rows[key]["status"] == "final" for key in before), f"{who} settles what was bound"
        )


def _transactions(books: Books) -> set[str]:
    return {key for key in books.rows if key.startswith("tx:")}


@pytest.fixture
def street(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Street]:
    """Two hosts of the oldest version, a ledger that it has made, and a shop."""
    first = older.version(older.LEVEL_1, tmp_path)
    monkeypatch.setitem(SETTINGS, "MAX_ORDERS_PER_TRANSACTION", "1")  # that version knows no more
    with runs.begin(tmp_path / "runs") as run, ground(Console(), run, code=first) as found:
        urls = cycle(found.hosts)
        shop = Shop(lambda: next(urls).running.url, found.settings["WEBHOOK_SECRET"], found.deployment.customers, 11)
        yield Street(found, shop)


@pytest.mark.soak
@pytest.mark.usefixtures("azurite")  # skips at a desk without Node, as every other server does
def test_a_deployment_rolls_and_rolls_back_while_orders_come(street: Street, tmp_path: Path) -> None:
    """Each pair of versions pays each order once; one that lacks a rule of the ledger takes orders and waits."""
    first = older.version(older.LEVEL_1, tmp_path)
    same = older.version(older.LEVEL_2, tmp_path)
    with street.shop.open():
        street.pays_more("the oldest version")

        # forward: this version registers the shop's secret, and the ledger asks for the rules of level 2
        street.deploy(1, paths.ROOT)
        street.waits_for(lambda books: "schema" in books.rows, "the level rises")
        street.pays_more("this version beside one that may not bind")
        street.deploy(0, same)
        street.pays_more("two versions of one level")

        # back: to the same level all goes on, to a lower one nothing is bound, and it is said
        street.deploy(1, same)
        street.pays_more("the version before this one")
        street.deploy(0, first)
        street.deploy(1, first)
        street.waits_for(_says_newer_rows, "the older version says why it waits")
        settled = street.waits_for(_nothing_is_open, "the older version settles what newer ones bound")
        street.waits_for(lambda books: len(_orders(books)) > len(_orders(settled)) + 3, "it takes orders")
        assert _transactions(street.books) == _transactions(settled)

        # forward again, as after any roll-back
        street.deploy(0, paths.ROOT)
        street.deploy(1, paths.ROOT)
        street.pays_more("this version")
    books = street.waits_for(lambda books: books.all_final, "every order is final")

    judged = verdict(street.shop.placed, Devchain(street.ground.deployment).payouts(), books)
    assert judged.good, judged
    assert judged.paid_once == len(street.shop.placed)


def _says_newer_rows(books: Books) -> bool:
    return str(books.rows.get("waiting", {}).get("reason")) == "newer_rows"


def _nothing_is_open(books: Books) -> bool:
    return not any(key.startswith("opentx:") for key in books.rows)


def _orders(books: Books) -> set[str]:
    return {key for key in books.rows if key.startswith("order:")}
