"""What makes the alarms that are no reason of an order: of nonces, nodes, finality, the guard, ages, queues, shops."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from distributor.call_backs.posting import Receiver
from distributor.call_backs.schedule import ATTEMPTS_MAX, STOP_AFTER_FAILURES, STOP_AFTER_MS
from distributor.chain_types import Call, Simulation
from distributor.functions import workers
from distributor.ledger.call_backs import Announced
from distributor.ledger.call_records import CallAddress, CallBack
from distributor.model import Address, SubmitOutcome
from distributor.payout.ages import BACKUP_MS_MAX
from distributor.payout.confirmation import WITNESS_PATIENCE_MS
from distributor.queue_names import DISTRIBUTIONS, POISON
from distributor.settings.shops import ThresholdSettings, WooCommerceSettings
from distributor.units import Wei
from distributor.webhook.authentication import WebhookRequest
from distributor.webhook.intake import Intake
from distributor.webhook.signature import Key
from distributor.webhook.woocommerce_intake import WooCommerceIntake
from foundation.clock import UnixMs
from foundation.errors import ConfigurationError
from tests.factories import GWEI, an_address
from tests.fakes.chain import OPERATOR
from tests.fakes.chain_state import CUSTOMERS, Behaviour
from tests.fakes.functions import a_context
from tests.fakes.receiver import OURS, URL
from tests.fakes.senders import authentication
from tests.fakes.shop import FIRST, RULES, Shop
from tests.fakes.signer import FakeSigner, Sent
from tests.provocations import (
    ROOM,
    End,
    bound,
    loses_its_nonce,
    paid,
    pays_elsewhere,
    provokes,
    resumes,
)
from tests.service import MESSAGE, Service
from tests.unit.test_resolution import resolve
from tests.unit.test_two_words import ONE, TWO, pass_time, paying, without_logs
from tests.world import tokens

# nonces and ledger -----------------------------------------------------------------------------------


@provokes("nonce_lost")
async def _(service: Service) -> End:
    rival = await loses_its_nonce(service, await bound(service))

    async def end() -> None:
        await resolve(service.world, rival)

    return end


@provokes("waiting_nonce_ahead")
async def _(service: Service) -> End:
    """The key is used elsewhere."""
    await service.world.receive()
    service.world.chain.spend_nonce(OPERATOR)
    since = service.world.chain.head.number

    async def end() -> None:
        service.world.chain.reorg(service.world.chain.head.number - since + 1, keep=False)
        await service.world.ledger.admin.resume("ana", "looked")

    return end


@provokes("waiting_pool_ahead", then="ledger_behind")
async def _(service: Service) -> End:
    """A minute later it pauses, and the alarm says so."""
    return await _a_forgotten_payment(service)


@provokes("ledger_behind")
async def _(service: Service) -> End:
    return await _a_forgotten_payment(service)


async def _a_forgotten_payment(service: Service) -> End:
    """Let a pool hold, below any price, what the ledger does not know."""
    await service.world.receive()
    chain = service.world.chain
    chain.rules.least_tip_wei = Wei(1_000 * GWEI)
    other = await service.world.receive(wallet=CUSTOMERS[2])
    sent = await _signed(service, chain.pay(other))
    await service.world.ledger.admin.cancel(other, "ana", "only to have a call")
    chain.arrive(sent)

    async def end() -> None:
        chain.drop(sent.tx_hash)
        chain.rules.least_tip_wei = Wei(0)
        await service.world.ledger.admin.resume("ana", "looked")

    return end


async def _signed(service: Service, call: Call) -> Sent:
    from distributor.model import Fees
    from distributor.ports import UnsignedTransaction
    from tests.fakes.signer import read_signed

    fees = Fees(max_fee_wei=Wei(40 * GWEI), tip_wei=Wei(30 * GWEI))
    unsigned = UnsignedTransaction(chain_id=31337, nonce=0, call=call, gas_limit=300_000, fees=fees)
    return read_signed((await service.world.signer.sign(unsigned)).raw)


@provokes("row_unreadable")
async def _(service: Service) -> End:
    """A waiting order that a person edited."""
    order = await service.world.receive()
    key = f"order:{order.source}:{order.order_id}"
    before = service.world.rows.dump()[key]
    service.world.rows.put(key, {**before, "amount_units": "a lot"})
    return lambda: service.world.rows.put(key, before)


@provokes("invariant_broken", repeats=True)
async def _(service: Service) -> End:
    """A bound order is gone."""
    order = await bound(service)
    service.world.rows.remove(f"order:{order.source}:{order.order_id}")
    return resumes(service)


@provokes("payment_path_broken")
async def _(service: Service) -> End:
    await bound(service)
    service.world.chain.rules.behaviour = Behaviour.SILENT
    return resumes(service)


@provokes("order_passed_over")
async def _(service: Service) -> End:
    """No node can simulate it."""
    order, chain = await service.world.receive(), service.world.chain
    await service.world.receive(wallet=CUSTOMERS[1])
    told, asked = chain.simulate, chain.pay(order)

    async def simulate(operator: Address, calls: Sequence[Call], *, node: str = "") -> Sequence[Simulation]:
        said = await told(operator, calls, node=node)
        unknown = Simulation(unknown="Internal error")
        return [unknown if call == asked else each for call, each in zip(calls, said, strict=True)]

    service.patch.setattr(chain, "simulate", simulate)
    return lambda: setattr(chain, "simulate", told)


# fees and signing ------------------------------------------------------------------------------------


@provokes("replacement_ceiling")
async def _(service: Service) -> End:
    """The market asks a tip above the ceiling."""
    await bound(service)
    rules = service.world.chain.rules
    rules.tip_wei = rules.least_tip_wei = Wei(45 * GWEI)

    def end() -> None:
        rules.tip_wei = rules.least_tip_wei = Wei(GWEI)

    return end


@provokes("submission_refused")
async def _(service: Service) -> End:
    service.world.chain.refuse(SubmitOutcome.REFUSED, times=1_000)
    await bound(service)
    return service.world.chain.calm


@provokes("transaction_open_long")
async def _(service: Service) -> End:
    """Accepted by every node, and in no block, at a fair price."""
    await bound(service)
    service.world.chain.rules.least_tip_wei = Wei(1_000 * GWEI)
    return lambda: setattr(service.world.chain.rules, "least_tip_wei", Wei(0))


async def _needs_a_replacement(service: Service) -> End:
    await bound(service)
    service.world.chain.set_base_fee(Wei(33 * GWEI))
    service.world.chain.rules.tip_wei = service.world.chain.rules.least_tip_wei = Wei(30 * GWEI)

    def end() -> None:
        service.world.signer.signs_only, service.keyless = None, False
        service.restart_payouts()

    return end


@provokes("operator_key_missing", limits=ROOM)
async def _(service: Service) -> End:
    end = await _needs_a_replacement(service)
    service.keyless = True
    service.restart_payouts()
    return end


@provokes("signer_unavailable", limits=ROOM)
async def _(service: Service) -> End:
    end = await _needs_a_replacement(service)
    service.world.signer.signs_only = 0
    return end


@provokes("retiring_gas_short")
async def _(service: Service) -> End:
    """The operator was changed, and the old one cannot pay for what it has in the pool."""
    world = service.world
    world.chain.rules.least_tip_wei = Wei(1_000 * GWEI)
    await bound(service)
    world.chain.set_gas(OPERATOR, Wei(0))
    new = an_address("the next operator")
    world.chain.grant_role(new)
    world.chain.set_gas(new, Wei(10**20))
    await world.ledger.admin.add_operator(new, 0)
    world.signer = FakeSigner(new)
    service.restart_payouts()
    return lambda: world.chain.set_gas(OPERATOR, Wei(10**20))


@provokes("lane_stopped")
async def _(service: Service) -> End:
    """One of two operators has no coin; the other one pays."""
    world = service.world
    await world.open_lane("b", an_address("the operator of lane b"))
    world.chain.set_gas(OPERATOR, Wei(0))
    service.restart_payouts()
    await bound(service)
    return lambda: world.chain.set_gas(OPERATOR, Wei(10**20))


# finality and nodes ----------------------------------------------------------------------------------


@provokes("finality_stalled")
async def _(service: Service) -> End:
    service.world.chain.miss_finality()
    return service.world.chain.resume_finality


@provokes("finality_violated")
async def _(service: Service) -> End:
    """Something is open, and the block of what was closed before it is another one."""
    await paid(service)
    await bound(service)
    service.world.chain.reorg(service.world.chain.head.number)
    return resumes(service)


@provokes("nodes_disagree", chain_nodes=(ONE, TWO))
async def _(service: Service) -> End:
    """One shows a payment that the other shows as refused."""
    order = await bound(service)
    service.world.chain.pause_authority()
    service.world.chain.said_by(ONE).receipt = paying(order)
    return service.world.chain.calm


@provokes("witness_missing", chain_nodes=(ONE, TWO))
async def _(service: Service) -> End:
    """A refused transaction, and the second node is away: nothing is released on one word."""
    await bound(service)
    service.world.chain.pause_authority()
    service.world.chain.go_down(TWO)
    return service.world.chain.come_back


@provokes("paid_contradicted", chain_nodes=(ONE, TWO))
async def _(service: Service) -> End:
    """Closed on one word, and the second node shows it otherwise when it comes back."""
    await bound(service)
    service.world.chain.go_down(TWO)
    await pass_time(service.world, 2 * WITNESS_PATIENCE_MS)
    service.world.chain.come_back()
    service.world.chain.said_by(TWO).receipt = without_logs
    return resumes(service)


@provokes("node_silent", chain_nodes=(ONE, TWO))
async def _(service: Service) -> End:
    service.world.chain.go_down(TWO)
    return service.world.chain.come_back


@provokes("receipt_unreadable")
async def _(service: Service) -> End:
    order = await bound(service)
    service.world.chain.said_by("fake").unreadable.add(await service.world.last_hash(order))
    return service.world.chain.calm


# the guard -------------------------------------------------------------------------------------------


@provokes("paid_elsewhere", guarded=True)
async def _(service: Service) -> End:
    """Another ledger's key paid this very order."""
    pays_elsewhere(service, await service.world.receive())
    return resumes(service)


@provokes("batch_reverted", guarded=True)
async def _(service: Service) -> End:
    return await _guard_paused_behind_a_binding(service, 1)


@provokes("payouts_paused", guarded=True)
async def _(service: Service) -> End:
    return await _guard_paused_behind_a_binding(service, 2)


async def _guard_paused_behind_a_binding(service: Service, orders: int) -> End:
    for _ in range(orders):
        await service.world.receive()
    await service.world.distribution.drain()
    service.world.chain.rules.guard_paused = True
    return lambda: setattr(service.world.chain.rules, "guard_paused", False)


# ages, queues, settings ------------------------------------------------------------------------------


@provokes("order_waiting_long")
async def _(service: Service) -> End:
    await service.world.receive()
    service.world.chain.go_down()
    return service.world.chain.come_back


@provokes("settlement_silent")
async def _(service: Service) -> End:
    """Its function is off."""
    await bound(service)
    service.off.add("settlement")
    return service.off.clear


@provokes("sweep_missing")
async def _(service: Service) -> End:
    """Its function is off; what shops send wakes the others."""
    await service.minute()
    service.off.add("sweep")
    return service.off.clear


@provokes("watch_missing")
async def _(service: Service) -> End:
    """A bug in the watch, from some day on."""
    await service.minute()
    service.broken["balance_monitor"] = KeyError("result")
    return service.broken.clear


@provokes("backup_old")
async def _(service: Service) -> End:
    """The account of the backups is away from some day on; it is there again."""
    ledger = service.world.ledger
    await service.minute()

    async def note(age_ms: int) -> None:
        await ledger.service.note_backup(
            UnixMs(service.world.clock() - age_ms), "distributor/137/a/2027-01-01T05-00-00Z"
        )

    await note(BACKUP_MS_MAX + 60_000)
    return lambda: note(0)


@provokes("not_configured")
async def _(service: Service) -> End:
    """The watch lacks a setting that nothing else needs."""
    service.broken["balance_monitor"] = ConfigurationError("LOW_GAS_PAYOUTS is not a number")
    return service.broken.clear


@provokes("clock_wrong")
async def _(service: Service) -> End:
    service.clock_ahead_ms = 3_600_000
    return lambda: setattr(service, "clock_ahead_ms", 0)


@provokes("work_not_running")
async def _(service: Service) -> End:
    service.queues.untaken_ms[DISTRIBUTIONS] = service.world.clock()
    return service.queues.untaken_ms.clear


@provokes("poison_waiting")
async def _(service: Service) -> End:
    service.queues.counts[DISTRIBUTIONS + POISON] = 1
    return service.queues.counts.clear


@provokes("queues_unavailable")
async def _(service: Service) -> End:
    service.queues.away = True
    return lambda: setattr(service.queues, "away", False)


@provokes("poison_message")
async def _(service: Service) -> End:
    service.jobs.append(lambda: workers.distribute_poisoned(MESSAGE, a_context("distribute_poisoned")))
    return _nothing


@provokes("low_reserve")
async def _(service: Service) -> End:
    service.thresholds = ThresholdSettings(low_reserve_tokens=Decimal(100), low_gas_payouts=0)
    service.world.chain.set_reserve(tokens(50))
    return lambda: service.world.chain.set_reserve(tokens(500))


@provokes("low_allowance")
async def _(service: Service) -> End:
    service.thresholds = ThresholdSettings(low_allowance_tokens=Decimal(100), low_gas_payouts=0)
    service.world.chain.set_allowance(tokens(50))
    return lambda: service.world.chain.set_allowance(tokens(500))


@provokes("low_gas")
async def _(service: Service) -> End:
    service.thresholds = ThresholdSettings()
    service.world.chain.set_gas(OPERATOR, Wei(10**17))
    return lambda: service.world.chain.set_gas(OPERATOR, Wei(10**20))


@provokes("alarm_target_failing")
async def _(service: Service) -> End:
    """The pager answers 429; the chat gets the message."""
    service.pager.refusing = 10**6
    await service.world.receive()
    service.world.chain.go_down()

    def end() -> None:
        service.pager.refusing = 0

    return end


@provokes("alarm_test")
async def _(service: Service) -> End:
    await service.register.test("ana", ["", "chat", "pager"])
    return _nothing


# shops -----------------------------------------------------------------------------------------------


@provokes("shop_order_differs")
async def _(service: Service) -> End:
    """One id under two names of one shop, with other content."""
    shop = Shop(service.world, {"default": FIRST})
    service.registration = shop.registration
    service.restart_payouts()
    await shop.send(FIRST)
    await shop.pay()
    mark = await shop.fingerprints.of(FIRST)
    await shop.lay("ORD1", source="shop-a", signed_with=mark, fingerprint="other")
    return _nothing


@provokes("woocommerce_unpayable")
async def _(service: Service) -> End:
    """A paid order to a malformed wallet; a shop that heard no answer sends it again."""
    service.jobs.append(lambda: _delivered(service, wallet="0x12"))
    return _nothing


@provokes("woocommerce_conflict")
async def _(service: Service) -> End:
    """The same order, with another total than before."""
    await _delivered(service)
    service.jobs.append(lambda: _delivered(service, total="22.00"))
    return _nothing


async def _delivered(service: Service, *, wallet: str = CUSTOMERS[0], total: str = "10.00") -> None:
    shop = Shop(service.world, {"default": FIRST})
    intake = Intake(
        ledger=service.world.ledger,
        authentication=authentication([Key(source="default", which="current", secret=FIRST)], service.world.clock),
        payment_rules=RULES,
        fingerprints=shop.fingerprints,
        alarms=service.raised,
        clock=service.world.clock,
    )
    rules = WooCommerceSettings(
        paid_statuses=frozenset({"completed"}),
        wallet_meta="_ballx_wallet",
        tokens_per_unit=Decimal(1),
        currency="BRL",
    )
    order = {
        "id": 727,
        "number": "727",
        "status": "completed",
        "currency": "BRL",
        "total": total,
        "meta_data": [{"id": 1, "key": "_ballx_wallet", "value": wallet}],
    }
    body = json.dumps(order).encode()
    signature = base64.b64encode(hmac.new(FIRST.encode(), body, "sha256").digest()).decode()
    headers = {"X-WC-Webhook-Signature": signature, "X-WC-Webhook-Topic": "order.updated"}
    headers["Content-Type"] = "application/json"
    await WooCommerceIntake(intake=intake, rules=rules, alarms=service.raised).accept(
        WebhookRequest(headers=headers, body=body)
    )


def _nothing() -> None:
    """What happened is over by itself."""


# call-backs ------------------------------------------------------------------------------------------


async def _an_untold_order(service: Service, answer: int) -> str:
    """Let the shop's receiver answer *answer* to what became of an order; return its address row's id."""
    service.shop_url, service.shop.down = URL, answer
    order = await service.world.receive()
    await service.world.ledger.admin.cancel(order, "ana", "the shop asked")
    return Receiver(source="default", url=URL, secrets=()).url_id


def _moves(service: Service) -> End:
    """The shop has another address, whose receiver works."""

    def end() -> None:
        service.shop_url, service.shop.down = "https://shop.example/new", None

    return end


@provokes("callbacks_gone")
async def _(service: Service) -> End:
    await _an_untold_order(service, 410)
    return _moves(service)


@provokes("callbacks_stopped")
async def _(service: Service) -> End:
    """It has failed fourteen times in a day; the fifteenth is the service's."""
    url_id = await _an_untold_order(service, 500)
    failing_ms = UnixMs(service.world.clock() - STOP_AFTER_MS)
    failing = CallAddress(
        source="default", url_id=url_id, failures=STOP_AFTER_FAILURES - 1, failing_ms=failing_ms, answer="HTTP 500"
    )
    await service.world.ledger.call_backs.save_address(failing)
    return _moves(service)


@provokes("callback_given_up")
async def _(service: Service) -> End:
    """It was sent nine times before."""
    await _an_untold_order(service, 500)
    backs = service.world.ledger.call_backs
    (announced,), _ = await backs.announced(limit=1)
    assert isinstance(announced, Announced)
    await backs.fan_out(announced, {"default"})
    (call,) = await backs.newest("default", limit=1)
    assert isinstance(call, CallBack)
    await backs.save(call, replace(call, attempts=ATTEMPTS_MAX - 1))
    return lambda: None


@provokes("callbacks_silent")
async def _(service: Service) -> End:
    """The function that tells the shops is disabled."""
    service.off.add("call_backs")
    order = await service.world.receive()
    await service.world.ledger.admin.cancel(order, "ana", "the shop asked")
    return lambda: service.off.discard("call_backs")


@provokes("callbacks_unsigned")
async def _(service: Service) -> End:
    """Its secret was withdrawn."""
    service.shop_url, service.shop_secrets = URL, ()

    def end() -> None:
        service.shop_secrets = (OURS,)

    return end
