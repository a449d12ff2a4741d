"""``pay-file`` on real servers: a table becomes orders, each paid once, whatever is done again."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstack.contracts import Devchain
from tests.integration.test_commands import Desk

BATCH = ("--batch", "june", "--decimal", ",")


@pytest.fixture
def desk(environ: dict[str, str], devchain: Devchain, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A person with a ledger that is ours."""
    own = Desk(environ, devchain, capsys)
    own.run("init", "--apply", "--new-beginning", "the chain is shared with other tests")
    return own


def test_a_table_is_paid_once_and_a_line_more_is_one_payment_more(desk: Desk, tmp_path: Path) -> None:
    """A dry run says what it costs and stores nothing; the same file again pays nothing; the status adds up."""
    ana, bia = desk.devchain.deployment.customers[:2]
    table = tmp_path / "june.csv"
    table.write_text(f"carteira;valor;motivo\r\n{ana};1.000,5;Prize\r\n{bia};2;Prize\r\n{bia};2;Prize\r\n", "utf-8")

    dry = desk.ask("pay-file", str(table), *BATCH)
    assert (dry["new"], dry["total"], dry["equal_lines"], dry["refused"]) == (3, "1004.5", [4], 0)
    assert (dry["money"]["known"], dry["money"]["missing"], dry["money"]["transactions"]) == (True, None, 3)
    assert desk.ask("orders")["orders"] == []
    desk.run("pay-file", str(table), *BATCH, "--apply", code=1)
    assert "--why" in desk.story

    desk.do("pay-file", str(table), *BATCH)
    assert desk.ask("pay-file", "status", str(table), *BATCH, code=1)["orders"] == {"received": 3}
    desk.drain()
    desk.settle()
    status = desk.ask("pay-file", "status", str(table), *BATCH)
    assert (status["orders"], status["tokens"], status["not_paid"]) == ({"paid": 3}, {"paid": "1004.5"}, [])

    again = desk.ask("pay-file", str(table), *BATCH)
    assert (again["new"], again["stored_before"]) == (0, {"paid": 3})
    table.write_text(f"carteira;valor;motivo\n{bia};7;More\n" + table.read_text("utf-8").partition("\n")[2], "utf-8")
    assert desk.ask("pay-file", str(table), *BATCH)["new"] == 1
    desk.do("pay-file", str(table), *BATCH)
    desk.drain()
    desk.settle()
    assert len(desk.payouts()) == 4


def test_nothing_is_stored_while_a_line_is_refused(desk: Desk, tmp_path: Path) -> None:
    """Unless the person leaves those out; an amount that could be a thousand is one of them."""
    ana = desk.devchain.deployment.customers[0]
    table = tmp_path / "june.csv"
    table.write_text(f"wallet,amount\n{ana},1.000\n{ana},5\n", "utf-8")

    refused = desk.run("pay-file", str(table), "--batch", "june", "--apply", "--why", "June", code=1)
    assert "could be a thousand" in refused
    assert "Nothing is stored while lines are refused" in desk.story
    assert desk.ask("orders")["orders"] == []
    desk.run("pay-file", str(table), "--batch", "june", "--without-refused", "--apply", "--why", "June")
    assert [each["amount"] for each in desk.ask("orders")["orders"]] == ["5"]
    desk.run("pay-file", str(tmp_path / "none.csv"), "--batch", "june", code=1)
    desk.run("pay-file", "a", "b", "--batch", "june", code=1)
    desk.run("pay-file", str(table), "--batch", "june", "--shop", "nobody", code=1)
    assert "has no secret" in desk.story


def test_the_runbooks_words_pay_a_table_and_say_where_it_stands(desk: Desk, tmp_path: Path) -> None:
    """As the page on commands has them."""
    table = tmp_path / "july.csv"
    table.write_text(f"wallet,amount\n{desk.devchain.deployment.customers[0]},5\n", "utf-8")
    words = {"FILE": str(table), "NAME": "july"}

    desk.written("Commands", "pay-file FILE --batch NAME", words)
    status = desk.written("Commands", "pay-file status FILE --batch NAME", words, code=1)

    assert status["orders"] == {"received": 1}
