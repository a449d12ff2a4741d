from __future__ import annotations

import asyncio
import gc
import logging
import os
import time
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal

import pytest
from aiohttp import web
from pydantic import SecretStr

from distributor import wiring
from distributor.errors import BadSignature
from distributor.ports import Alarm
from distributor.resources import Resources
from distributor.settings.chain import SigningSettings
from distributor.settings.operations import VaultSettings
from distributor.settings.shops import WooCommerceSettings
from distributor.webhook.authentication import WebhookRequest
from distributor.webhook.signature_schemes import Scheme
from distributor.webhook.signing import signed_headers
from distributor.wiring import Container
from foundation.alarms.model import LOG
from foundation.alarms.notifier import Target
from foundation.alarms.targets import BrokenTarget, LogTarget, NotDelivered, PostTarget
from foundation.clock import UnixMs
from foundation.errors import ConfigurationError
from foundation.lazy import Lazy
from tests.fakes.clock import FrozenClock

KEY, RETIRING_KEY = "11" * 32, "22" * 32
GOOD = {
    "CHAIN_ID": "137",
    "RPC_URL": "http://127.0.0.1:1",
    "OPERATOR_PK": KEY,
    "AUTHORITY_ADDRESS": "0x" + "11" * 20,
    "TOKEN_ADDRESS": "0x" + "22" * 20,
    "RESERVE_ADDRESS": "0x" + "33" * 20,
    "WEBHOOK_SECRET": "sixteen bytes or more",
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
}


@pytest.fixture
def environ() -> dict[str, str]:
    """Settings of which each test may spoil some."""
    return dict(GOOD)


@pytest.fixture
async def container(environ: dict[str, str], clock: FrozenClock) -> AsyncIterator[Container]:
    """A container on these settings, closed in the end."""
    own = Container(environ, clock=clock)
    yield own
    await own.aclose()


async def test_ready_finds_the_node_that_answers_beside_one_that_hangs(
    environ: dict[str, str], clock: FrozenClock
) -> None:
    """As the payout does, which goes on with it; ten seconds for the other one are more than /ready has."""

    async def hangs(_request: web.Request) -> web.Response:
        await ended.wait()
        return web.Response()

    async def answers(request: web.Request) -> web.Response:
        asked = await request.json()
        return web.json_response({"id": 1, "result": "0x89" if asked["method"] == "eth_chainId" else "0x5"})

    ended, application = asyncio.Event(), web.Application()
    application.router.add_post("/hangs", hangs)
    application.router.add_post("/answers", answers)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        container = Container(environ | {"RPC_URL": f"{url}/hangs,{url}/answers"}, clock=clock)
        report = await (await container.readiness()).report()
        await container.aclose()
    finally:
        ended.set()
        await runner.cleanup()

    assert {name: report.checks[name] for name in ("node", "chain", "head")} == dict.fromkeys(
        ("node", "chain", "head"), True
    )


async def test_each_use_case_is_built_once_and_shares_its_parts(container: Container) -> None:
    """One ledger, one chain, and settlement refills slots through the very same distribution."""
    distribution, settlement = await container.payouts.distribution(), await container.payouts.settlement()
    intake, balance_monitor = await container.intake(), await container.payouts.balance_monitor()

    assert await container.payouts.distribution() is distribution
    assert settlement.distribution is distribution
    assert settlement.steps.chain is settlement.chain is balance_monitor.chain is distribution.lane.chain
    assert intake.ledger is balance_monitor.ledger is distribution.ledger is (await container.status()).ledger
    assert (await container.sweep()).ledger is (await container.ledger()) is intake.ledger


async def test_settings_arrive_where_they_act(environ: dict[str, str], container: Container) -> None:
    """The limits of money and of the chain are those that were set."""
    environ |= {"MAX_FEE_GWEI": "55", "GAS_LIMIT": "250000", "MAX_IN_FLIGHT": "4", "LEDGER_ID": "a" * 32}
    environ |= {"FINALITY": "depth:900", "MIN_CONFIRMATIONS": "5", "RELEASE_CONFIRMATIONS": "770", "MAX_ATTEMPTS": "6"}
    environ |= {"RESUBMIT_AFTER_S": "11", "REPLACE_AFTER_S": "33", "BLOCK_TIME_S": "1.5", "LOW_RESERVE_TOKENS": "8"}
    environ |= {"MAX_ORDER_TOKENS": "5", "MAX_DAILY_TOKENS": "1000", "MAX_DAILY_WALLET_TOKENS": "20.5"}
    distribution, settlement = await container.payouts.distribution(), await container.payouts.settlement()
    monitor = await container.payouts.balance_monitor()
    policy, thresholds = settlement.steps.policy, monitor.thresholds
    config = distribution.lane.config

    assert (config.limits.max_fee_wei, config.limits.gas_limit) == (55 * 10**9, 250_000)
    assert (config.max_in_flight, config.identity.ledger_id) == (4, "a" * 32)
    assert (policy.finality_depth, policy.min_confirmations, policy.release_confirmations) == (900, 5, 770)
    assert (policy.resubmit_after_ms, policy.replace_after_ms, policy.max_attempts) == (11_000, 33_000, 6)
    assert (settlement.block_time_s, settlement.limits) == (1.5, config.limits)
    assert thresholds.low_reserve_units == 8 * 10**18
    assert (monitor.recheck.policy, monitor.limits) == (policy, config.limits)
    caps = config.caps
    assert (caps.order_units, caps.day_units, caps.wallet_units) == (5 * 10**18, 1000 * 10**18, 205 * 10**17)
    assert (await container.intake()).caps == caps


async def test_a_malformed_secret_closes_its_own_shop_only(environ: dict[str, str], container: Container) -> None:
    """The other shop is served; what may be the closed shop's hears 503 and is sent again."""
    environ |= {"WEBHOOK_SECRET__SHOP_B": "too short"}
    authentication = (await container.intake()).authentication
    request = WebhookRequest(
        headers=signed_headers(GOOD["WEBHOOK_SECRET"], b"{}", Scheme.HEX, now_s=0, message_id=""), body=b"{}"
    )
    of_b = WebhookRequest(headers=signed_headers("too short", b"{}", Scheme.HEX, now_s=0, message_id=""), body=b"{}")

    assert (await authentication.authenticate(request, body_bytes_max=99)).verified.source == "default"
    with pytest.raises(ConfigurationError, match="secret of a shop cannot be used"):
        await authentication.authenticate(of_b, body_bytes_max=99)
    with pytest.raises(BadSignature):
        await authentication.authenticate(WebhookRequest(headers={}, body=b"{}"), body_bytes_max=99)


async def test_the_shops_and_their_secrets_arrive_at_the_intake(environ: dict[str, str], container: Container) -> None:
    """Each under its own name; and whether a time must be signed."""
    environ |= {"WEBHOOK_SECRET_PREVIOUS": "sixteen bytes before", "WEBHOOK_SECRET__SHOP_B": "sixteen bytes of b"}
    environ["WEBHOOK_REQUIRE_TIMESTAMP"] = "1"
    intake = await container.intake()

    assert intake.authentication.require_timestamp
    assert [(key.source, key.which, key.secret) for key in intake.authentication.keys()] == [  # noqa: SIM118 -- no mapping
        ("default", "current", GOOD["WEBHOOK_SECRET"]),
        ("default", "previous", "sixteen bytes before"),
        ("shop-b", "current", "sixteen bytes of b"),
    ]


async def test_the_retiring_operator_signs_until_its_last_payout_is_final(
    environ: dict[str, str], container: Container
) -> None:
    """Settlement holds both keys; distribution binds with the new one."""
    environ["OPERATOR_PK_RETIRING"] = RETIRING_KEY
    distribution, settlement = await container.payouts.distribution(), await container.payouts.settlement()

    assert len(settlement.steps.signers) == 2
    assert distribution.lane.operator in settlement.steps.signers


async def test_every_lane_binds_and_signs(environ: dict[str, str], container: Container) -> None:
    """Distribution has the named operators beside the first one, settlement and the watch have all of them."""
    environ |= {"OPERATOR_PK__B": RETIRING_KEY, "OPERATOR_PK_RETIRING": "0x" + "44" * 32}
    distribution, settlement = await container.payouts.distribution(), await container.payouts.settlement()
    watch = await container.payouts.balance_monitor()

    assert [lane.name for lane in distribution.lanes] == ["", "b"]
    assert [lane.operator for lane in distribution.lanes] == [watch.operator, *watch.others]
    assert {lane.configured for lane in distribution.lanes} == {frozenset(settlement.steps.signers)}
    assert len(settlement.steps.signers) == 3


async def test_two_lanes_of_one_operator_are_refused_by_name() -> None:
    """Its nonces cannot be shared; a key in memory and one in a vault are seen to be one only by their addresses."""
    parts = Resources({}, clock=lambda: UnixMs(0))
    key = SecretStr(KEY)
    settings = SigningSettings.model_construct(
        operator_pk=key, operator_key=None, lane_pks={"b": key}, lane_keys={}, vault=VaultSettings()
    )

    with pytest.raises(ConfigurationError, match="OPERATOR_PK__B is the operator 0x"):
        await parts.operator_keys.lanes(settings)
    await parts.aclose()


async def test_a_shops_rules_arrive_where_they_act(environ: dict[str, str], container: Container) -> None:
    """WooCommerce has its own rules and shares the intake; without them only its own route is off."""
    intake = await container.intake()
    with pytest.raises(ConfigurationError, match="WOO_AMOUNT_META or WOO_TOKENS_PER_UNIT"):
        await container.woocommerce()
    environ |= {"WOO_TOKENS_PER_UNIT": "1.5", "WOO_CURRENCY": "BRL", "WOO_PAID_STATUSES": "shipped"}

    shop = await container.woocommerce()

    assert shop.intake is intake
    assert shop.rules == WooCommerceSettings(
        paid_statuses=frozenset({"shipped"}),
        wallet_meta="_ballx_wallet",
        tokens_per_unit=Decimal("1.5"),
        currency="BRL",
    )


async def test_a_failure_is_not_kept(environ: dict[str, str], container: Container) -> None:
    """Once the setting is right the next call works; nobody restarts anything."""
    del environ["WEBHOOK_SECRET"]
    with pytest.raises(ConfigurationError, match="WEBHOOK_SECRET is not set"):
        await container.intake()
    environ["WEBHOOK_SECRET"] = GOOD["WEBHOOK_SECRET"]

    assert (await container.intake()).payment_rules.chain_id == 137


async def test_what_only_payouts_need_does_not_refuse_orders(environ: dict[str, str], container: Container) -> None:
    """Orders are taken and wait; the payouts name what is wrong."""
    environ |= {"RPC_URL": "nonsense", "OPERATOR_PK": "", "MAX_FEE_GWEI": "-1"}

    assert (await container.intake()).payment_rules.chain_id == 137
    with pytest.raises(ConfigurationError, match=r"RPC_URL must.*MAX_FEE_GWEI must.*OPERATOR_PK or OPERATOR_KEY_ID"):
        await container.payouts.distribution()


async def test_a_reference_nobody_may_resolve_is_named_with_the_rest(
    environ: dict[str, str], container: Container
) -> None:
    """The storage account's too; and no vault is asked."""
    reference = "@Microsoft.KeyVault(VaultName=ballx;SecretName=ANY)"
    environ |= {"BALLX_USE_KV": "0", "WEBHOOK_SECRET": reference, "AzureWebJobsStorage": reference, "CHAIN_ID": ""}

    with pytest.raises(ConfigurationError) as caught:
        await container.intake()
    named = [sentence.split(" ")[0] for sentence in str(caught.value).split("; ")]
    assert named == ["CHAIN_ID", "WEBHOOK_SECRET", "AzureWebJobsStorage"]
    assert "BALLX_USE_KV=0 forbids" in str(caught.value)


async def test_readiness_is_there_when_nothing_is_configured(environ: dict[str, str], container: Container) -> None:
    """It is what names the settings."""
    environ.clear()
    report = await (await container.readiness()).report()

    assert not any(report.checks.values())
    assert set(report.settings) == set(GOOD)


async def test_readiness_names_a_secret_that_cannot_be_read(environ: dict[str, str], container: Container) -> None:
    """And only that one."""
    environ |= {"BALLX_USE_KV": "0", "OPERATOR_PK": "@Microsoft.KeyVault(VaultName=ballx;SecretName=ANY)"}
    report = await (await container.readiness()).report()

    assert report.settings == ["OPERATOR_PK"]


async def _targets(container: Container) -> Mapping[str, Target]:
    """Return where the sweep sends alarms."""
    return (await container.alarm_sweep()).notifier.targets


async def test_alarms_go_to_the_log_while_their_url_is_wrong(environ: dict[str, str], container: Container) -> None:
    """An alarm about a wrong setting must not fail by one, and a wrong target is an alarm; once right it is used."""
    environ["ALARM_WEBHOOK_URL"] = "http://hooks.example/key"
    wrong = await _targets(container)
    environ["ALARM_WEBHOOK_URL"] = "https://hooks.example/key"

    assert {name: type(target) for name, target in wrong.items()} == {LOG: LogTarget, "settings": BrokenTarget}
    with pytest.raises(NotDelivered, match="ALARM_WEBHOOK_URL must be an https URL"):
        await wrong["settings"].deliver([])
    assert {name: type(target) for name, target in (await _targets(container)).items()} == {
        LOG: LogTarget,
        "webhook": PostTarget,
    }


async def test_without_a_url_alarms_go_to_the_log_alone(container: Container) -> None:
    """The URL is optional; the line is not."""
    assert list(await _targets(container)) == [LOG]


async def test_alarms_are_raised_whatever_is_set(
    environ: dict[str, str], container: Container, caplog: pytest.LogCaptureFixture
) -> None:
    """To the log at least: without settings there is no register."""
    environ.clear()

    await (await container.alarms()).raise_(Alarm(code="not_configured", summary="x", action="y"))

    assert '"event": "alarm"' in caplog.text
    assert "alarm_not_noted" in caplog.text
    assert await container.alarms() is await container.alarms()


async def test_parts_asked_for_at_once_are_built_once() -> None:
    """Two first requests race; one builds, the other waits for it."""
    built: list[str] = []

    async def build() -> str:
        await asyncio.sleep(0)
        built.append("part")
        return "part"

    part = Lazy(build)
    assert await asyncio.gather(*(part.get() for _ in range(5))) == ["part"] * 5
    assert built == ["part"]


async def test_a_loop_has_one_container_until_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads the process's environment and clock."""
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    first = wiring.container()
    intake = await first.intake()
    before_ms = time.time() * 1_000

    assert wiring.container() is first
    assert 0 <= intake.clock() - before_ms + 1 < 60_000
    await wiring.aclose()
    await wiring.aclose()
    assert wiring.container() is not first
    await wiring.aclose()


def test_each_loop_has_its_own_container_and_closed_loops_are_forgotten() -> None:
    """Clients live as long as the loop they were made on."""

    async def mine() -> Container:
        return wiring.container()

    async def mine_closed() -> Container:
        own = wiring.container()
        await wiring.aclose()
        return own

    first, second = asyncio.run(mine()), asyncio.run(mine_closed())

    assert first is not second
    gc.collect()
    assert len(wiring._containers) == 0


@pytest.mark.parametrize(
    ("level", "expected"),
    [("", logging.INFO), ("debug", logging.DEBUG), ("WARNING", logging.WARNING), ("x", logging.INFO)],
)
def test_only_this_service_speaks_below_warning(level: str, expected: int) -> None:
    """The client libraries log every request with its URL."""
    before = logging.getLogger("distributor").level
    try:
        wiring.quieten_and_mask({"LOG_LEVEL": level})
        assert logging.getLogger("distributor").level == expected
    finally:
        logging.getLogger("distributor").setLevel(before)


@pytest.mark.parametrize(("value", "shown"), [("", False), ("0", False), ("1", True), ("yes", False)])
def test_personal_data_is_shown_only_where_asked_for(value: str, shown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no answer is a no; the settings name it."""
    asked = list[bool]()
    monkeypatch.setattr(logging.getLogger("distributor"), "level", logging.getLogger("distributor").level)
    monkeypatch.setattr("foundation.logs.show_personal_data", lambda *, shown: asked.append(shown))

    wiring.quieten_and_mask({"LOG_PERSONAL_DATA": value})

    assert asked == [shown]

    assert {logging.getLogger(name).level for name in ("azure", "web3", "urllib3")} == {logging.WARNING}


def test_the_environment_of_the_process_is_untouched() -> None:
    """Settings are read, never written: a resolved secret must not leak to child processes."""
    before = dict(os.environ)

    async def build() -> None:
        await (await wiring.container().readiness()).report()
        await wiring.aclose()

    asyncio.run(build())
    assert dict(os.environ) == before


async def test_an_operator_without_a_key_cannot_be_opened() -> None:
    """The settings' own rules refuse it first; a value that passes them gets the same answer."""
    parts = Resources({}, clock=lambda: UnixMs(0))

    with pytest.raises(ConfigurationError, match="OPERATOR_KEY_ID is not set"):
        await parts.operator_keys.signer(SigningSettings(vault=VaultSettings()))
    await parts.aclose()


NOWHERE = "AccountName=x;AccountKey=eA==;QueueEndpoint=http://127.0.0.1:1/x;TableEndpoint=http://127.0.0.1:1/x"


async def test_a_wake_up_that_cannot_be_put_is_in_the_log_alone(
    environ: dict[str, str], container: Container, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody listens there; the order it is about was stored."""
    environ["AzureWebJobsStorage"] = NOWHERE

    await container.wake_distribution()
    await container.wake_distribution()

    assert caplog.text.count("wake_not_put") == 2


async def test_the_queues_are_asked_by_who_asks_the_tables(environ: dict[str, str], container: Container) -> None:
    """One identity, and so one token."""
    del environ["AzureWebJobsStorage"]
    environ |= {"AzureWebJobsStorage__accountName": "ballx", "AzureWebJobsStorage__credential": "managedidentity"}
    resources = container.parts

    queues, tables = await resources.queues(), await resources.tables()

    assert queues._account.url == "https://ballx.queue.core.windows.net"
    assert queues._account.credential is tables.credential is not None


async def test_a_shop_is_told_with_the_secrets_of_now(environ: dict[str, str], container: Container) -> None:
    """The current one first, then the one before; a shop that has an address and no secret cannot be told."""
    environ |= {
        "CALLBACK_URL": "https://shop.example/",
        "CALLBACK_URL__NORTH": "https://north.example/",
        "WEBHOOK_SECRET_PREVIOUS": "the one before, 16 bytes",
        "CALLBACK_NETWORKS": "10.0.0.0/8",
    }

    receivers = (await container.call_backs()).receivers()

    assert {source: (each.url, list(each.secrets)) for source, each in receivers.items()} == {
        "default": ("https://shop.example/", ["sixteen bytes or more", "the one before, 16 bytes"]),
        "north": ("https://north.example/", []),
    }
    assert "shop.example" not in repr(receivers)


async def test_without_an_address_no_shop_is_told_and_no_secret_is_needed(
    environ: dict[str, str], container: Container
) -> None:
    """What is announced is dropped all the same."""
    del environ["WEBHOOK_SECRET"]

    assert (await container.call_backs()).receivers() == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CALLBACK_URL", "http://shop.example/"),
        ("CALLBACK_URL__NORTH", "shop.example"),
        ("CALLBACK_URL__NO_SUCH_NAME_IS_TAKEN", "https://shop.example/"),
        ("CALLBACK_NETWORKS", "inside"),
    ],
)
async def test_a_wrong_address_stops_the_telling_and_loses_nothing(
    environ: dict[str, str], container: Container, name: str, value: str
) -> None:
    """Read as no address, it would have its announcements dropped."""
    environ[name] = value

    with pytest.raises(ConfigurationError, match=name.partition("__")[0]):
        await container.call_backs()
