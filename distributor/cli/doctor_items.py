"""
The items of ``doctor``: what a program can check of the checklist for production.

Each check returns what is wrong, in one line; an empty text is "nothing".
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from distributor.cli.amounts import short_by
from distributor.cli.context import CommandContext
from distributor.cli.doctor_outside import forged_sign_in, https, shop_door
from distributor.cli.keys import payment_refusal, shop_secrets, signing_trouble
from distributor.cli.language import N_, _
from distributor.ledger import Ledger
from distributor.payout.preflight import not_ours
from distributor.payout.queue_facts import queue_facts
from distributor.payout.sweep import payouts_left
from distributor.readiness import SWEEP_AGE_MS_MAX
from distributor.recovery.consistency import Consistency
from distributor.settings.operations import LogSettings
from distributor.settings.shops import CapSettings, RateLimitSettings, ThresholdSettings, WebhookSettings
from distributor.settings.use_cases import HistorySettings
from distributor.units import Wei
from foundation.alarms.model import LOG, AlarmState
from foundation.alarms.settings import AlarmSettings
from foundation.clock import elapsed_ms
from foundation.settings.references import is_reference

Check = Callable[[CommandContext, HistorySettings], Awaitable[str]]
"""Returns what is wrong; empty: nothing."""
SETTINGS_ITEM = "settings"
PROVIDERS_MIN = 2
GAS_PAYOUTS_MIN = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class DoctorItem:
    """One line of the checklist."""

    name: str
    what: str
    check: Check = field(repr=False)


async def _settings(context: CommandContext, _settings: HistorySettings) -> str:
    return ", ".join(await context.parts.wrong_settings())


async def _ledger(context: CommandContext, settings: HistorySettings) -> str:
    ledger = await context.ledger()
    trouble = not_ours(await ledger.identity(), settings.payout.contracts.identity)
    return f"{trouble.reason} {trouble.detail}".strip() if trouble else ""


async def _ledger_id(_context: CommandContext, settings: HistorySettings) -> str:
    if settings.payout.contracts.ledger_id:
        return ""
    return _("LEDGER_ID is not set: another ledger would be paid from unnoticed.")


async def _rows(context: CommandContext, _settings: HistorySettings) -> str:
    found = await Consistency((await context.parts.tables()).rows).disagreements()
    return _("{count} rows disagree; run verify.").format(count=len(found)) if found else ""


async def _recovery(_context: CommandContext, settings: HistorySettings) -> str:
    return (
        "" if settings.first_block is not None else _("FIRST_BLOCK is not set: `rebuild` cannot tell where to begin.")
    )


async def _providers(_context: CommandContext, settings: HistorySettings) -> str:
    hosts = {urlsplit(url).hostname for url in settings.payout.nodes.rpc_urls}
    if len(hosts) < PROVIDERS_MIN:
        return _("RPC_URL names one provider: nobody contradicts it when it is wrong.")
    return ""


async def _nodes(context: CommandContext, settings: HistorySettings) -> str:
    heads = await (await context.parts.rpc()).heads()
    wrong = sorted({head.chain_id for head in heads} - {settings.payout.contracts.chain_id})
    if wrong:
        return _("A node serves chain {chain}.").format(chain=wrong[0])
    missing = len(settings.payout.nodes.rpc_urls) - len(heads)
    return _("{count} nodes of RPC_URL do not answer.").format(count=missing) if missing else ""


async def _new_heads(context: CommandContext, settings: HistorySettings) -> str:
    """Say which ws address announces no blocks of this chain. Where there is none, nothing is wrong."""
    found = await (await context.parts.new_heads()).reaches(settings.payout.contracts.chain_id)
    wrong = [f"{node} ({trouble})" for node, trouble in found.items() if trouble]
    return _("Blocks are not announced by {nodes}.").format(nodes=", ".join(wrong)) if wrong else ""


async def _node_https(_context: CommandContext, settings: HistorySettings) -> str:
    private = ("https://", "wss://")
    plain = [urlsplit(url).hostname for url in settings.payout.nodes.urls if not url.startswith(private)]
    return _("Not https: {hosts}.").format(hosts=", ".join(map(str, plain))) if plain else ""


async def _finality(context: CommandContext, settings: HistorySettings) -> str:
    if settings.payout.settlement.finality_depth is not None:
        return _("FINALITY counts blocks; `tag` follows the chain's own finality.")
    operator = (await context.parts.operator_keys.signer(settings.payout.signing)).address
    snapshot = await (await context.parts.chain()).pre_bind_snapshot(operator)
    return "" if snapshot.finalized_number is not None else _("The node has no `finalized` block.")


async def _keys(context: CommandContext, settings: HistorySettings) -> str:
    signers = await context.parts.operator_keys.signers(settings.payout.signing)
    ledger = await context.ledger()
    troubles = [await signing_trouble(signer, settings) for signer in signers.values()]
    unknown = [address for address in signers if await ledger.binding_state(address) is None]
    return "; ".join(
        [each for each in troubles if each]
        + [_("{operator} is not in the ledger: add-operator.").format(operator=each) for each in unknown]
        + await _barred(context, settings)
    )


async def _barred(context: CommandContext, settings: HistorySettings) -> list[str]:
    """Return why a lane may not pay, where there are several: the other ones would pay, and no order says it."""
    lanes = (await context.parts.operator_keys.lanes(settings.payout.signing)).values()
    asked = [signer.address for signer in lanes] if len(lanes) > 1 else []
    refused = [(operator, await payment_refusal(context, settings, operator)) for operator in asked]
    return [f"{operator}: {why}" for operator, why in refused if why]


async def _key_in_vault(context: CommandContext, _settings: HistorySettings) -> str:
    plain = [
        name
        for name in sorted(name for name in context.environ if name.startswith("OPERATOR_PK"))
        if context.environ.get(name, "").strip() and not is_reference(context.environ[name].strip())
    ]
    return (
        _("{names}: the private key itself is in the settings; use OPERATOR_KEY_ID or a Key Vault reference.").format(
            names=", ".join(plain)
        )
        if plain
        else ""
    )


async def _shop_secrets(context: CommandContext, _settings: HistorySettings) -> str:
    weak = [each["setting"] for each in await shop_secrets(context) if not each["ok"]]
    return _("Too short, or with white space around it: {names}.").format(names=", ".join(weak)) if weak else ""


async def _timestamps(context: CommandContext, _settings: HistorySettings) -> str:
    if (await context.parts.settings(WebhookSettings)).require_timestamp:
        return ""
    return _("WEBHOOK_REQUIRE_TIMESTAMP is not set: a signed request is good for ever.")


async def _rates(context: CommandContext, _settings: HistorySettings) -> str:
    gate = await context.parts.settings(RateLimitSettings)
    return "" if gate.rate_per_address and gate.rate_per_source else _("A rate limit is switched off.")


async def _caps(context: CommandContext, _settings: HistorySettings) -> str:
    caps = (await context.parts.settings(CapSettings)).caps
    values = {
        "MAX_ORDER_TOKENS": caps.order_units,
        "MAX_DAILY_TOKENS": caps.day_units,
        "MAX_DAILY_WALLET_TOKENS": caps.wallet_units,
    }
    off = [name for name, value in values.items() if value is None]
    return _("Off: {names}.").format(names=", ".join(off)) if off else ""


async def _guard(_context: CommandContext, settings: HistorySettings) -> str:
    if settings.payout.contracts.guard:
        return ""
    return _("GUARD_ADDRESS is not set: nothing on the chain refuses a second payment.")


async def _balance(context: CommandContext, settings: HistorySettings) -> str:
    operator = (await context.parts.operator_keys.signer(settings.payout.signing)).address
    ledger = await context.ledger()
    snapshot = await (await context.parts.chain()).pre_bind_snapshot(operator)
    waiting = sum(order.amount_units for order in (await ledger.waiting(limit=1_000)).orders)
    short = {
        "RESERVE": short_by(waiting, snapshot.reserve_units, settings.payout.contracts.decimals),
        "ALLOWANCE": short_by(waiting, snapshot.allowance_units, settings.payout.contracts.decimals),
    }
    found = [f"{name.lower()} {missing}" for name, missing in short.items() if missing]
    if not snapshot.reserve_units:
        found.append(_("the reserve is empty"))
    if not snapshot.allowance_units:
        found.append(_("the reserve allows the authority nothing"))
    return "; ".join([*found, *await _dry(context, settings, ledger)])


async def _dry(context: CommandContext, settings: HistorySettings, ledger: Ledger) -> Sequence[str]:
    """Return what is wrong with the coin of each operator that pays; one of several is named."""
    lanes, chain = await context.parts.operator_keys.lanes(settings.payout.signing), await context.parts.chain()
    cost_max, found = Wei(settings.payout.fees.gas_limit * settings.payout.fees.max_fee_wei), list[str]()
    for operator in (signer.address for signer in lanes.values()):
        snapshot, stats = await chain.pre_bind_snapshot(operator), await ledger.stats(operator)
        if payouts_left(snapshot.gas_balance_wei, stats, cost_max) < GAS_PAYOUTS_MIN:
            named = f" ({operator})" if len(lanes) > 1 else ""
            found.append(_("the operator's gas does not cover one payout") + named)
    return found


async def _watching(context: CommandContext, _settings: HistorySettings) -> str:
    watch = await context.parts.settings(ThresholdSettings)
    low = {
        "LOW_RESERVE_TOKENS": watch.low_reserve_tokens,
        "LOW_ALLOWANCE_TOKENS": watch.low_allowance_tokens,
        "LOW_GAS_PAYOUTS": watch.low_gas_payouts,
    }
    off = [name for name, value in low.items() if not value]
    return _("Off: {names}.").format(names=", ".join(off)) if off else ""


async def _alarm_target(context: CommandContext, _settings: HistorySettings) -> str:
    if set(await context.parts.targets()) - {LOG}:
        return ""
    return _("No target is set, such as ALARM_WEBHOOK_URL: alarms are lines in a log that nobody may read.")


async def _heartbeat(context: CommandContext, _settings: HistorySettings) -> str:
    if (await context.parts.settings(AlarmSettings)).heartbeat_url:
        return ""
    return _("HEARTBEAT_URL is not set: an app that stops as a whole tells nobody.")


async def _quiet(context: CommandContext, _settings: HistorySettings) -> str:
    alarms = await context.notifications()
    persisting = [code for code, each in alarms.items() if each.state is AlarmState.STANDS]
    return _("Alarms persist: {codes}.").format(codes=", ".join(sorted(persisting))) if persisting else ""


async def _sweep(context: CommandContext, _settings: HistorySettings) -> str:
    swept = (await (await context.ledger()).service.monitor_state()).swept_ms
    recent = elapsed_ms(swept, context.clock()) <= SWEEP_AGE_MS_MAX
    return "" if recent else _("The sweep has not run for three minutes: is the function app running?")


async def _queues(context: CommandContext, _settings: HistorySettings) -> str:
    facts = await queue_facts(await context.parts.queues(), context.clock())
    return "; ".join(f"{fact.code} {fact.subject}".strip() for fact in facts)


async def _personal_data(context: CommandContext, _settings: HistorySettings) -> str:
    settings = await context.parts.settings(LogSettings)
    return _("LOG_PERSONAL_DATA writes wallets whole into the log.") if settings.log_personal_data else ""


async def _settings_file(context: CommandContext, _settings: HistorySettings) -> str:
    """Say whether a file of settings beside the code could be committed or read by others."""
    file = context.options.settings
    if file is None or os.name != "posix":
        return ""
    mode = (await asyncio.to_thread(file.stat)).st_mode
    return _("{file} can be read by other users; chmod 600 it.").format(file=file) if mode & 0o077 else ""


ITEMS: Sequence[DoctorItem] = (
    DoctorItem(name=SETTINGS_ITEM, what=N_("Every setting is there and right"), check=_settings),
    DoctorItem(name="settings-file", what=N_("The file of settings is private"), check=_settings_file),
    DoctorItem(name="key-in-vault", what=N_("The operator's key is in a vault"), check=_key_in_vault),
    DoctorItem(name="keys", what=N_("Every operator key signs, and the ledger knows it"), check=_keys),
    DoctorItem(name="shop-secrets", what=N_("The shops' secrets are long enough"), check=_shop_secrets),
    DoctorItem(name="timestamps", what=N_("Old signed requests are refused"), check=_timestamps),
    DoctorItem(name="rate-limits", what=N_("Rate limits are on"), check=_rates),
    DoctorItem(name="https", what=N_("The app answers /ready with 200 over https"), check=https),
    DoctorItem(name="shop-door", what=N_("Shops reach the app, and no sign-in page"), check=shop_door),
    DoctorItem(name="forged-sign-in", what=N_("A forged sign-in changes nothing"), check=forged_sign_in),
    DoctorItem(name="ledger", what=N_("The ledger is the one the settings mean"), check=_ledger),
    DoctorItem(name="ledger-id", what=N_("No other ledger is ever paid from"), check=_ledger_id),
    DoctorItem(name="rows", what=N_("The rows of the ledger agree"), check=_rows),
    DoctorItem(name="recovery", what=N_("A lost ledger can be rebuilt from the chain"), check=_recovery),
    DoctorItem(name="nodes", what=N_("Every node answers, and serves the chain"), check=_nodes),
    DoctorItem(name="new-heads", what=N_("Each wss address announces the chain's blocks"), check=_new_heads),
    DoctorItem(name="providers", what=N_("Two providers are configured"), check=_providers),
    DoctorItem(name="node-https", what=N_("Nodes are asked over https, and heard over wss"), check=_node_https),
    DoctorItem(name="finality", what=N_("A block is final when the chain says so"), check=_finality),
    DoctorItem(name="guard", what=N_("The chain refuses a second payment"), check=_guard),
    DoctorItem(name="caps", what=N_("All three caps are set"), check=_caps),
    DoctorItem(name="balance", what=N_("Reserve, allowance and gas are enough for what waits"), check=_balance),
    DoctorItem(name="low-alarms", what=N_("Low reserve, allowance and gas raise alarms"), check=_watching),
    DoctorItem(name="alarm-target", what=N_("Alarms go to a person"), check=_alarm_target),
    DoctorItem(name="heartbeat", what=N_("A dead man's switch watches the app"), check=_heartbeat),
    DoctorItem(name="no-alarms", what=N_("No alarm persists"), check=_quiet),
    DoctorItem(name="sweep", what=N_("The sweep runs each minute"), check=_sweep),
    DoctorItem(name="queues", what=N_("Queues are read, and no message is poisoned"), check=_queues),
    DoctorItem(name="personal-data", what=N_("No personal data goes into the log"), check=_personal_data),
)
