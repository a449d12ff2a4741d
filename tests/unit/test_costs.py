"""What a month costs: the table of the page is the formula's, and the defaults are those that infra/ deploys."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from devstack import costs, paths
from devstack.costs import BRAZIL_SOUTH, EAST_US, Size, month
from tests import bicep

PAGES = [paths.ROOT / "docs" / "costs.md", paths.ROOT / "docs" / "pt-BR" / "costs.md"]
CENT = Decimal("0.01")


@pytest.mark.parametrize("page", PAGES, ids=["en", "pt-BR"])
def test_the_formula_gives_the_figures_of_the_page(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Table and single figures, in both languages."""
    text = page.read_text("utf-8")
    costs.main([])

    assert f"```text\n{capsys.readouterr().out}```" in text
    text = text.replace(",", ".")
    floods = [costs.day_of_flood(40, Size(memory_mb=size), EAST_US) for size in (512, 2048)]
    shown = [*floods, month(0, Size(), BRAZIL_SOUTH).total, costs.EAST_US.ready_gb_s * Size().gb * costs.SECONDS]
    assert [f"{each:.2f}" for each in shown if f"{each:.2f}" not in text] == []


@pytest.mark.parametrize("page", [page.with_name("deploy.md") for page in PAGES], ids=["en", "pt-BR"])
def test_the_guide_repeats_what_the_formula_gives(page: Path) -> None:
    """One sentence of it: an idle month in both regions, and how many alert rules are in it."""
    text = page.read_text("utf-8").replace(",", ".")
    ((usd, brazil),) = re.findall(r"^- (?:Idle|Parada)\..*? (\d+) USD .*?\((\d+\.\d\d) ", text, re.MULTILINE)

    assert usd == f"{month(0, Size(), EAST_US).total:.0f}"
    assert brazil == f"{month(0, Size(), BRAZIL_SOUTH).total:.2f}"


def test_an_idle_month_is_about_ten_dollars() -> None:
    """In both regions that the pages name."""
    assert month(0, Size(), EAST_US).total < 10
    assert month(0, Size(), BRAZIL_SOUTH).total < Decimal("10.50")


def test_a_stuck_transaction_costs_no_more_than_an_idle_day() -> None:
    """Some cents of storage in a month; the seconds are free. It was 4.49 USD a day, a busy instance of 2 GB."""
    more = month(0, Size(), EAST_US, stuck=True).total - month(0, Size(), EAST_US).total

    assert more / 30 < CENT
    assert costs.day_of_flood(1, Size(memory_mb=2048), EAST_US).quantize(CENT) == Decimal("4.49")


def test_the_free_seconds_end() -> None:
    """So that the line of on-demand use is no constant."""
    assert month(10_000, Size(memory_mb=2048), EAST_US).on_demand > 0
    assert month(500_000, Size(), EAST_US).on_demand > month(100_000, Size(), EAST_US).on_demand > 0
    assert month(2_000_000, Size(apps=2), EAST_US).logs > 0


def test_the_defaults_are_what_is_deployed() -> None:
    """Of main.bicep, and the test system has nothing always ready."""
    declared = bicep.module("main.bicep")["parameters"]
    rules = bicep.module("alerts.bicep")["variables"]["rules"]["value"]

    assert declared["instanceMemoryMB"]["default"] == Size().memory_mb
    assert declared["alwaysReadyHttp"]["default"] == Size().always_ready
    assert bicep.module("test.bicepparam")["variables"]["alwaysReadyHttp"]["value"] == 0
    assert len(rules) == Size().rules


def test_one_number_of_orders_is_told_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    """With the sum at the end."""
    costs.main(["--orders", "1000", "--apps", "both", "--memory", "2048", "--region", "brazilsouth"])

    lines = re.findall(r"^(.+?) +([\d.]+) USD$", capsys.readouterr().out, re.MULTILINE)
    assert [name for name, _ in lines] == ["always ready", "on demand", "alerts", "storage", "logs", "total"]
    assert abs(sum(Decimal(usd) for _, usd in lines[:-1]) - Decimal(lines[-1][1])) <= 3 * CENT
