"""
A stranger brings back an order held for any reason, with what its page says and nothing else.

They know no command. They read the page, press the buttons it offers and copy the lines it shows.
"""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from html import unescape
from typing import Any
from urllib.parse import unquote

import pytest

from distributor.cli.arguments import parser
from distributor.cli.context import DONE, CommandContext
from distributor.cli.language import choose
from distributor.console.site import Console
from distributor.console.ways_back import SETTLE, WAYS_BACK
from distributor.ledger.columns import encode
from distributor.ledger.keys import order_row
from distributor.model import Hash, HoldReason, Order, OrderStatus
from distributor.rates import Rate
from distributor.webhook.rate_limiter import RateLimiter
from foundation.console.settings import ConsoleSettings
from foundation.settings.reading import read_group
from tests.factories import an_address
from tests.fakes.bench import Bench
from tests.fakes.chain import CUSTOMERS, OPERATOR, Behaviour
from tests.fakes.counters import FakeCounters
from tests.fakes.history import FakeHistory
from tests.fakes.parts import InMemory
from tests.settling import a_bound_order, a_refused_order
from tests.unit.test_cancellation import ROOM, an_unpayable_order, cancel
from tests.unit.test_console import ANA, CONSOLE, JOAO, Browser
from tests.unit.test_exits import goes_on
from tests.unit.test_guarded_payouts import FINALITY_BLOCKS, a_guarded_world, fails, pay_elsewhere
from tests.unit.test_resolution import RELEASE, a_lost_order, resolve
from tests.unit.test_ways_out import doubt_the_past
from tests.unit.test_wiring import GOOD
from tests.world import World, a_world, tokens

Held = tuple[World, Order]


class OfWorld(InMemory):
    """The parts of commands and pages over a world's ledger and chain."""

    def __init__(self, world: World) -> None:
        addresses = world.identity
        own = {
            "CHAIN_ID": str(addresses.chain_id),
            "TOKEN_ADDRESS": addresses.token,
            "AUTHORITY_ADDRESS": addresses.authority,
            "RESERVE_ADDRESS": addresses.reserve,
            **({"GUARD_ADDRESS": addresses.guard} if addresses.guard else {}),
        }
        super().__init__(GOOD | own, Bench(world.ledger, world.rows, world.audit, world.clock))
        self.world = world

    async def chain(self) -> Any:
        return self.world.chain

    async def guard(self) -> Any:
        return self.world.guard

    async def history(self) -> Any:
        return FakeHistory(self.world.chain)

    async def alarms(self) -> Any:
        return self.world.alarms


async def a_browser(world: World, token: str = ANA, language: str = "en") -> Browser:
    """Return the browser of a person who signed in."""
    console = Console(
        settings=read_group(ConsoleSettings, CONSOLE),
        parts=OfWorld(world),
        rate_limiter=RateLimiter(
            counters=FakeCounters(world.clock),
            per_address=Rate(2, 60),
            per_source=None,
            trusted_proxies=0,
            clock=world.clock,
        ),
        clock=world.clock,
    )
    browser = Browser(console, languages=language)
    await browser.sign_in(token)
    return browser


# an order held for each reason, its cause mended since ---------------------------------------------


async def _reverted() -> Held:
    world = await a_world()
    order = await a_refused_order(world)
    await world.settle(2)
    world.chain.pause_authority(paused=False)
    return world, order


async def _no_transfer() -> Held:
    world = await a_world()
    order = await a_bound_order(world)
    world.chain.rules.behaviour = Behaviour.SILENT
    await world.settlement.follow()
    world.chain.rules.behaviour = Behaviour.HONEST
    return world, order


async def _simulation() -> Held:
    world = await a_world()
    world.chain.rules.refused_wallets.add(CUSTOMERS[0])
    order = await world.receive()
    await world.distribution.drain()
    world.chain.rules.refused_wallets.clear()
    return world, order


async def _nonce_lost() -> Held:
    world = await a_world()
    order = await a_lost_order(world)
    stranger = world.chain.spend_nonce(OPERATOR)
    world.chain.mine(RELEASE)
    await resolve(world, stranger)
    return world, order


async def _nonce_cancelled() -> Held:
    world = await a_world(limits=ROOM)
    order = await an_unpayable_order(world)
    await cancel(world)
    world.chain.pause_authority(paused=False)
    await world.settle(RELEASE + 20)
    return world, order


async def _item_failed() -> Held:
    world = await a_guarded_world()
    order = await world.receive(wallet=CUSTOMERS[1])
    for _ in range(2):
        await world.ledger.admin.resume("a test", "looked")
        await fails(world, order)
    return world, order


async def _reference_used() -> Held:
    world = await a_guarded_world()
    order = await world.receive()
    await world.distribution.drain()
    pay_elsewhere(world, order, amount_units=tokens(3))
    await world.a_block_passes()
    await world.settle(FINALITY_BLOCKS)
    return world, order


async def _past_unknown() -> Held:
    world = await a_world()
    await doubt_the_past(world)
    order = await world.receive()
    await world.distribution.drain()
    return world, order


async def _needs_approval() -> Held:
    world = await a_world()
    world.cap(approval_units=5)
    return world, await world.receive()


HELD: Mapping[HoldReason, Callable[[], Awaitable[Held]]] = {
    HoldReason.REVERTED: _reverted,
    HoldReason.NO_TRANSFER: _no_transfer,
    HoldReason.SIMULATION: _simulation,
    HoldReason.NONCE_LOST: _nonce_lost,
    HoldReason.NONCE_CANCELLED: _nonce_cancelled,
    HoldReason.ITEM_FAILED: _item_failed,
    HoldReason.REFERENCE_USED: _reference_used,
    HoldReason.PAST_UNKNOWN: _past_unknown,
    HoldReason.NEEDS_APPROVAL: _needs_approval,
}
ENDS = {"retry": OrderStatus.PAID, "approve": OrderStatus.PAID, "cancel": OrderStatus.CANCELLED}
ACTS = [(reason, act) for reason, way in WAYS_BACK.items() for act in way.acts]
LINES = [(reason, line.command) for reason, way in WAYS_BACK.items() for line in way.lines]


def buttons(page: str) -> list[str]:
    """Return the acts that the page offers."""
    return re.findall(r'href="/console/acts/([a-z-]+)\?about=', page)


def lines(page: str) -> list[str]:
    """Return the commands that the page shows, as a person copies them."""
    return [unescape(each).strip() for each in re.findall(r"<pre>(.*?)</pre>", page, re.DOTALL)]


async def page_of(browser: Browser, order: Order) -> str:
    """Return what the order's page says."""
    return (await browser.get("order", id=str(order.key))).body


# every reason ------------------------------------------------------------------------------------------


def test_each_reason_has_a_way_back_and_an_order_that_is_held_for_it() -> None:
    """A new reason must not be forgotten, neither by the console nor here."""
    assert set(WAYS_BACK) == set(HoldReason) == set(HELD)
    assert all(way.acts for way in WAYS_BACK.values())


@pytest.mark.parametrize("language", ["en", "pt-BR"])
@pytest.mark.parametrize("reason", HoldReason)
async def test_the_page_offers_what_its_words_name(reason: HoldReason, language: str) -> None:
    """What is wrong, what to do, and a button or a line for each command that those words name."""
    world, order = await HELD[reason]()
    assert (await world.order(order)).hold_reason is reason

    body = await page_of(await a_browser(world, language=language), order)
    head = re.search(r"<strong>(?:What to do|O que fazer):</strong>(.*?)</p>", body)
    assert head
    named = {each.split()[0] for each in re.findall(r"`([^`]+)`", unescape(head[1]))}
    offered = {*buttons(body), *(each.split()[3] for each in lines(body))}

    assert named
    assert named <= offered
    assert all(f"<code>{each}</code>: " in body for each in buttons(body))


@pytest.mark.parametrize(("reason", "act"), ACTS)
async def test_a_button_of_the_page_brings_the_order_to_its_end(reason: HoldReason, act: str) -> None:
    """Pressed as it is offered; the service does the rest, and the wallet gets the tokens once."""
    world, order = await HELD[reason]()
    ana = await a_browser(world)
    assert act in buttons(await page_of(ana, order))
    before = world.chain.balance_of(order.wallet)

    done = await ana.act(act, str(order.key))
    assert done.status == 200, done.body
    assert f"/console/order?id={order.key}" in unquote(done.body)
    world.cap()
    await goes_on(world)

    assert await world.status(order) is ENDS[act]
    paid = order.amount_units if ENDS[act] is OrderStatus.PAID else 0
    assert world.chain.balance_of(order.wallet) == before + paid
    assert not buttons(await page_of(ana, order))


@pytest.mark.parametrize(("reason", "command"), LINES)
async def test_a_line_of_the_page_brings_the_order_to_its_end(reason: HoldReason, command: str) -> None:
    """Copied, with the hash that an explorer shows, and ``--apply`` at its end."""
    world, order = await HELD[reason]()
    settles = command == SETTLE.command
    tx_hash = paid_by_another(world, order) if settles else Hash("")
    ana = await a_browser(world)
    (line,) = [each for each in lines(await page_of(ana, order)) if each.split()[3] == command.split(maxsplit=1)[0]]

    await typed(world, line.replace("0x…", tx_hash) + " --apply")
    if not settles:
        await goes_on(world)

    assert await world.status(order) is OrderStatus.PAID
    assert world.chain.balance_of(order.wallet) == order.amount_units


def paid_by_another(world: World, order: Order) -> Hash:
    """Let an operator of before pay *order*; return the transaction, which is final."""
    stranger = an_address("an operator of before")
    if world.identity.guard:
        world.chain.rules.hot_keys.add(stranger)
    world.chain.grant_role(stranger)
    call = world.guard.pay(order) if world.identity.guard else world.chain.pay(order)
    tx_hash = world.chain.spend_nonce(stranger, call)
    world.chain.mine(RELEASE)
    return tx_hash


async def typed(world: World, line: str) -> None:
    """Run a line as it is typed into a shell."""
    choose([], {"LANG": "C"})
    program, arguments = line.replace('"…"', "looked").split()[:3], line.replace('"…"', "looked").split()[3:]
    assert program == ["python3", "-m", "distributor"]
    options: Namespace = parser().parse_args(arguments)
    said = list[str]()
    context = CommandContext(OfWorld(world), options, clock=world.clock, say=said.append, show=said.append)
    assert await options.run(context) == DONE, said


# who may, and what is over ------------------------------------------------------------------------------


async def test_who_asked_for_an_order_is_told_that_another_person_approves_it() -> None:
    """And has no button for it: pressing it would be refused."""
    world = await a_world()
    world.cap(approval_units=5)
    order = await world.receive(asked_by="Ana", batch="june")

    body = await page_of(await a_browser(world), order)

    assert buttons(body) == ["cancel"]
    assert "another person approves it" in body


async def test_a_viewer_reads_what_an_operator_can_do() -> None:
    """Without a button."""
    world, order = await HELD[HoldReason.SIMULATION]()

    body = await page_of(await a_browser(world, JOAO), order)

    assert not buttons(body)
    assert "An operator can:" in body
    assert "<strong>Put back into the backlog</strong> <code>retry</code>" in body


async def test_a_refused_act_leads_back_to_the_order() -> None:
    """The guard has recorded its payment: the sentence names the line, which the order's page has."""
    world, order = await HELD[HoldReason.ITEM_FAILED]()
    paid_by_another(world, order)
    ana = await a_browser(world)

    body = unescape((await ana.get("acts/retry", about=str(order.key))).body)

    assert "`settle default/" in body
    assert f"/console/order?id={order.key}" in unquote(body)


async def test_a_word_of_a_newer_version_offers_nothing() -> None:
    """No command touches such an order, so no button says that one does; nor does the list of its reason."""
    world, order = await HELD[HoldReason.SIMULATION]()
    strange = replace(await world.order(order), hold_reason=HoldReason("needs_a_second_look"))
    world.rows.put(order_row(order.key), encode(strange))
    ana = await a_browser(world)

    body = await page_of(ana, order)
    assert "newer version" in body
    assert not buttons(body)
    assert not lines(body)
    assert "/bulk/" not in (await ana.get("held", reason="needs_a_second_look")).body


async def test_a_cancelled_order_asks_for_nothing() -> None:
    """Its row keeps why it was held; its page does not go on saying what to do about that."""
    world, order = await HELD[HoldReason.NEEDS_APPROVAL]()
    await world.ledger.admin.cancel(await world.order(order), "rui", "a slip")

    assert "What to do" not in await page_of(await a_browser(world), order)


@pytest.mark.parametrize("reason", HoldReason)
async def test_the_list_of_a_reason_offers_what_its_orders_offer(reason: HoldReason) -> None:
    """What must be decided one by one is not offered for all."""
    world, _order = await HELD[reason]()

    body = (await (await a_browser(world)).get("held", reason=str(reason))).body

    assert re.findall(r"/console/bulk/([a-z]+)\?", body) == list(WAYS_BACK[reason].acts)
    assert ("Each of these is decided by itself" in body) == (len(WAYS_BACK[reason].acts) == 1)
