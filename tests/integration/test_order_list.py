"""``orders``, ``payouts`` and ``GET /orders`` on real servers: from paid orders to the accountant's file and back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import azure.functions as func
import pytest

from devstack.contracts import Devchain
from distributor.functions import orders
from distributor.wiring import Container
from tests.fakes.functions import a_context
from tests.integration.test_commands import Desk


@pytest.fixture
def desk(environ: dict[str, str], devchain: Devchain, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A person with a ledger that is ours, two orders paid and one that waits."""
    own = Desk(environ, devchain, capsys)
    own.run("init", "--apply", "--new-beginning", "the chain is shared with other tests")
    own.send("A-1", "A-2", amount="1.5")
    own.drain()
    own.settle()
    own.send("B-1")
    own.service(_indexed)
    return own


async def _indexed(container: Container) -> None:
    """Let the sweep find that every order is indexed: until then no table is exported."""
    await (await container.sweep()).run()
    await (await container.order_indexing()).run()


def test_orders_are_found_on_the_command_line(desk: Desk) -> None:
    """By status, id, wallet and hash; page by page; a wrong question is refused with the parameter's name."""
    paid = desk.ask("orders", "--status", "paid")["orders"]
    assert desk.written("Commands", "orders --status held")["orders"] == []
    wallet = desk.devchain.deployment.customers[0]

    assert sorted(each["order_id"] for each in paid) == ["A-1", "A-2"]
    assert all(each["gas_pol"] and each["block"] for each in paid)
    by_id = desk.written("Commands", "orders --id PREFIX", {"PREFIX": "B"})
    assert [each["order_id"] for each in by_id["orders"]] == ["B-1"]
    assert len(desk.written("Commands", "orders --wallet ADDRESS", {"ADDRESS": wallet})["orders"]) == 3
    by_hash = desk.written("Commands", "orders --hash PREFIX", {"PREFIX": paid[0]["transaction_hash"][:12]})
    assert paid[0]["order_id"] in str(by_hash)
    first = desk.ask("orders", "--limit", "2")
    second = desk.ask("orders", "--limit", "2", "--cursor", first["cursor"])
    assert {each["order_id"] for each in (*first["orders"], *second["orders"])} == {"A-1", "A-2", "B-1"}
    assert (first["count"], second["cursor"]) == ({"orders": 3, "more": False}, None)
    assert "A-1" in desk.run("orders")
    desk.run("orders", "--day", "yesterday", code=1)
    assert "day is yyyy-mm-dd" in desk.story


def test_a_month_is_one_file_that_adds_up(desk: Desk, tmp_path: Path) -> None:
    """In the dialect of a Brazilian spreadsheet; never over a file that is there; a changed cell is found."""
    month, file = f"{datetime.now(UTC):%Y-%m}", tmp_path / "month.csv"
    brazil = ("--semicolon", "--decimal-comma", "--bom", "--out", str(file))

    desk.run("orders", "--csv", code=1)
    every = desk.written("Commands", "orders --csv --month 2026-11", {"2026-11": month})
    plain = desk.run("orders", "--csv", "--month", month, "--status", "paid")
    assert set(plain.splitlines()) < set(every.splitlines())
    desk.run("orders", "--csv", "--month", month, *brazil)
    desk.run("orders", "--csv", "--month", month, *brazil, code=1)

    assert "nothing was written" in desk.story
    written = file.read_bytes()
    assert written.startswith(b"\xef\xbb\xbfreceived_utc;")
    assert b";1,5;0x" in written
    assert plain.startswith("received_utc,received_brasilia")
    added = desk.written("Commands", "payouts FILE", {"FILE": str(file)})
    assert (added["orders"], added["paid_tokens"]) == ({"paid": 2, "received": 1}, "3")
    assert (added["paid_without_known_gas"], added["differences"], added["listed_twice"]) == (0, 0, [])
    assert float(added["gas_pol"]) > 0
    file.write_bytes(written.replace(b";1,5;", b";9,5;", 1))
    assert desk.ask("payouts", str(file), code=1)["differences"] == 1
    doubled = written + written.splitlines(keepends=True)[1]
    file.write_bytes(doubled)
    assert desk.ask("payouts", str(file), code=1)["listed_twice"] == ["default:A-1"]
    desk.run("payouts", str(tmp_path / "none.csv"), code=1)


def test_orders_are_found_over_http(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same document as on the command line; the key in the URL is no parameter of the question."""

    async def ask(container: Container, **asked: str) -> tuple[int, bytes]:
        monkeypatch.setattr(orders, "container", lambda: container)
        request = func.HttpRequest(
            method="GET", url="/orders", params={"code": "key", **asked}, headers={}, route_params={}, body=b""
        )
        answer = await orders.list_orders(request, a_context())
        return answer.status_code, answer.get_body()

    status, body = desk.service(lambda container: ask(container, status="paid"))
    refused, problem = desk.service(lambda container: ask(container, staus="paid"))

    assert (status, body.count(b'"status": "paid"')) == (200, 2)
    assert (refused, b"malformed_query" in problem) == (400, True)
