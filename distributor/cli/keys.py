"""``keys check``: whether every configured key is there, signs, and may pay. No key is ever shown."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from distributor.chain_types import Call
from distributor.cli.amounts import NATIVE_DECIMALS, tokens
from distributor.cli.context import DONE, REFUSED, CommandContext
from distributor.cli.declared import Command
from distributor.cli.language import N_, _
from distributor.errors import SignerUnavailable
from distributor.model import Address, Fees
from distributor.ports import Signer, UnsignedTransaction
from distributor.settings.shops import WebhookSettings
from distributor.settings.use_cases import HistorySettings
from distributor.units import Wei

UNUSABLE_NONCE = 2**64 - 1
"""No account can ever use it, so what is signed with it can never be mined. Source: EIP-2681."""
SECRET_BYTES_MIN = 32
"""Standard Webhooks asks for 24 to 64 bytes; 32 are a whole SHA-256 key."""


async def keys(context: CommandContext) -> int:
    """Check operator keys and shop secrets; 1 if one of them cannot do its work."""
    settings = await context.begin(HistorySettings)
    signers = await context.parts.operator_keys.signers(settings.payout.signing)
    operators = [await _operator(context, settings, signer) for signer in signers.values()]
    shops = await shop_secrets(context)
    context.answer({"operators": operators, "shops": shops})
    return DONE if all(each["ok"] for each in (*operators, *shops)) else REFUSED


async def _operator(context: CommandContext, settings: HistorySettings, signer: Signer) -> dict[str, Any]:
    ledger, chain = await context.ledger(), await context.parts.chain()
    trouble = await signing_trouble(signer, settings)
    known = await ledger.binding_state(signer.address) is not None
    snapshot = await chain.pre_bind_snapshot(signer.address)
    refused = await payment_refusal(context, settings, signer.address)
    return {
        "operator": signer.address,
        "signs": not trouble,
        "in_ledger": known,
        "may_pay": not refused,
        "gas": tokens(snapshot.gas_balance_wei, NATIVE_DECIMALS),
        "detail": trouble or (_("Run add-operator.") if not known else refused) or None,
        "ok": not trouble and known and not refused,
    }


async def payment_refusal(context: CommandContext, settings: HistorySettings, operator: Address) -> str:
    """Return why the contract that it calls would not let it pay; empty where it would. Through a guard, the guard."""
    chain, guard = await context.parts.chain(), settings.payout.contracts.guard
    if guard is None:
        (simulated,) = await chain.simulate(operator, [chain.probe(operator)])
        return simulated.revert.text if simulated.revert else simulated.unknown
    head = (await chain.snapshot([], [], [])).head
    facts = await (await context.parts.guard()).facts(guard, [operator], [], block=head.number)
    if facts is not None and operator in facts.hot_keys:
        return ""
    return _("Guard {guard} does not allow it: let the guard's owner `allow` this key.").format(guard=guard)


async def signing_trouble(signer: Signer, settings: HistorySettings) -> str:
    """Return why a key does not sign; empty where it does. What is signed can never be mined."""
    fees = Fees(max_fee_wei=Wei(1), tip_wei=Wei(1))
    unsigned = UnsignedTransaction(
        chain_id=settings.payout.contracts.chain_id,
        nonce=UNUSABLE_NONCE,
        call=Call(to=signer.address, data=b""),
        gas_limit=21_000,
        fees=fees,
    )
    try:
        await signer.sign(unsigned)
    except SignerUnavailable as error:
        return str(error)
    return ""


async def shop_secrets(context: CommandContext) -> Sequence[dict[str, Any]]:
    """Return whose secrets are set, and how long they are; never a secret."""
    found = (await context.parts.settings(WebhookSettings)).shop_secrets
    return [
        {
            "shop": name.source,
            "which": name.which,
            "setting": name.setting,
            "bytes": len(secret.encode()),
            "ok": len(secret.encode()) >= SECRET_BYTES_MIN and secret == secret.strip(),
        }
        for name, secret in sorted(found.items())
    ]


def _arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("action", choices=["check"], help=_("check them all"))


COMMANDS = (
    Command(
        name="keys",
        summary=N_("check the operators' keys and the shops' secrets"),
        description=N_(
            "check: have each operator key sign something that can never be mined, ask the contract whether it may "
            "pay, and say which shops have secrets and whether those are long enough. No key and no secret is shown."
        ),
        run=keys,
        arguments=_arguments,
    ),
)
