"""``init``: make an empty ledger ours."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from urllib.parse import urlsplit

from distributor.chain.rpc import Rpc
from distributor.cli.context import CHAINS, CommandRefused
from distributor.ledger import Ledger
from distributor.model import Address
from distributor.payout.guard_change import wrong_with
from distributor.payout.preflight import decimals_mismatch
from distributor.recovery.lost_ledger import signs_of_loss
from distributor.resources import Resources
from distributor.settings.use_cases import InitSettings
from distributor.state import Identity
from foundation.errors import ConfigurationError

Say = Callable[[str], None]


async def initialise(
    parts: Resources, *, apply: bool, say: Say, new_beginning: str | None = None, by: str = ""
) -> bool:
    """
    Show what the ledger would be, and with *apply* make it so; run again, it changes nothing.

    1. What decides where money goes is shown first.
    2. A ledger that has an identity stays as it is, ours or not.
    3. The operator's next nonce is read from the chain, from every node. While a node's pool holds
       transactions of the operator nobody knows which nonce comes next, and nothing is written.
    4. An empty ledger with a past is a lost one, and ``rebuild`` brings it back; with *new_beginning*
       a person says in words why it is none, and the audit trail keeps them.
    5. The tables are made, and identity, nonce, commitments and control written as one group.

    Returns:
        False when it was refused; what was said tells why.

    Raises:
        DistributorError: A setting is wrong, or the ledger does not answer.
    """
    settings = await parts.settings(InitSettings)
    operator = (await parts.signer(settings.signing)).address
    tables, ledger = await parts.tables(), await parts.ledger()
    _show(settings, operator, urlsplit(tables.service.url).netloc, say)
    try:
        if apply:
            await tables.ensure()
        if await _is_ours(ledger, settings, operator, say, apply=apply):
            return True
        nonce = await next_nonce(await parts.rpc(), settings.contracts.chain_id, operator)
        await _refuse_decimals(parts, settings, operator)
        if not new_beginning:
            await _refuse_lost(parts, settings, nonce)
        since = await _check_guard(parts, settings, operator)
        if not apply:
            say(f"Dry run: would make this ledger ours, next nonce {nonce}. Do it with --apply.")
            return True
        await _write(ledger, replace(settings.contracts.identity, guard_since=since), operator, nonce, say)
        if new_beginning:
            await ledger.admin.record("new-beginning", operator, by, new_beginning)
    except CommandRefused as refusal:
        say(f"Refused: {refusal}")
        return False
    return True


def _show(settings: InitSettings, operator: Address, account: str, say: Say) -> None:
    contracts = settings.contracts
    say(f"Chain:     {contracts.chain_id} ({CHAINS.get(contracts.chain_id, 'neither Polygon nor its test network')})")
    say(f"Operator:  {operator}")
    say(f"Ledger:    table {settings.storage.ledger_table} at {account}")
    say(f"Token:     {contracts.token}")
    say(f"Authority: {contracts.authority}")
    say(f"Guard:     {contracts.guard or 'none: nothing on the chain refuses a second payment'}")
    say(f"Reserve:   {contracts.reserve}")


async def _is_ours(ledger: Ledger, settings: InitSettings, operator: Address, say: Say, *, apply: bool) -> bool:
    """Tell whether the ledger is ours already; False when it is nobody's. Raises Refused when it is another's."""
    try:
        found, binding_state = await ledger.identity(), await ledger.binding_state(operator)
    except ConfigurationError as error:
        if apply:
            raise
        say(f"The ledger cannot be read yet: {error}")
        return False
    if found is None:
        return False
    if wrong := _differences(found, settings.contracts.identity):
        raise CommandRefused(f"this ledger is another one's; nothing was changed. {' '.join(wrong)}")
    if binding_state is None:
        raise CommandRefused(
            f"this ledger is ours, but it knows no nonce of the operator {operator}: was its key changed?"
        )
    say(f"Already initialised, nothing to do. Ledger id: {found.ledger_id}")
    return True


def _differences(found: Identity, expected: Identity) -> Sequence[str]:
    mine = replace(expected, ledger_id=expected.ledger_id or found.ledger_id, guard_since=found.guard_since)
    names = [field.name for field in fields(Identity)]
    pairs = [(name, getattr(found, name), getattr(mine, name)) for name in names]
    return [f"{name}: the ledger has {theirs}, the settings {ours}." for name, theirs, ours in pairs if theirs != ours]


async def next_nonce(rpc: Rpc, chain_id: int, operator: Address) -> int:
    """Return the operator's next nonce, on which all nodes that answer must agree. Raises Refused."""
    chains = {head.chain_id for head in await rpc.heads()}
    if chains - {chain_id}:
        raise CommandRefused(f"a node of RPC_URL serves chain {min(chains - {chain_id})}, CHAIN_ID says {chain_id}.")
    counts = {count for nonces in await rpc.nonces(operator) for count in nonces}
    if not counts:
        raise CommandRefused("no node of RPC_URL answers; its nonce must come from the chain.")
    if len(counts) > 1:
        raise CommandRefused(
            f"the operator's nonce is between {min(counts)} and {max(counts)}: transactions of it wait in a pool, or a "
            "node is behind. Wait until they are mined, and let nothing else use this key."
        )
    return counts.pop()


async def _refuse_decimals(parts: Resources, settings: InitSettings, operator: Address) -> None:
    """Raise Refused when the token counts in other units than the settings."""
    snapshot = await (await parts.chain()).pre_bind_snapshot(operator)
    if wrong := decimals_mismatch(snapshot.decimals, settings.contracts.decimals):
        raise CommandRefused(wrong)


async def _refuse_lost(parts: Resources, settings: InitSettings, nonce: int) -> None:
    """Raise Refused when settings or chain show that this ledger, or one before it, has paid already."""
    last_block = max(head.number for head in await (await parts.rpc()).heads())
    signs = await signs_of_loss(
        await parts.history(),
        ledger_id=settings.contracts.ledger_id or "",
        next_nonce=nonce,
        first_block=settings.first_block,
        last_block=last_block,
    )
    if signs:
        raise CommandRefused(
            f"this ledger is empty, and it is not new: it was lost. {' '.join(signs)} Run `rebuild`: it brings back "
            "what was paid, and init would let old orders be paid again. Only where no shop can send again any order "
            'that was paid before: init --new-beginning "WHY".'
        )


async def _check_guard(parts: Resources, settings: InitSettings, operator: Address) -> int | None:
    """Return since which block payouts go through the guard; None without one. Raises CommandRefused if it cannot."""
    if settings.contracts.guard is None:
        return None
    head = (await (await parts.chain()).snapshot([], [], [])).head
    facts = await (await parts.guard()).facts(settings.contracts.guard, [operator], [], block=head.number)
    if facts is None:
        raise CommandRefused(f"there is no guard at {settings.contracts.guard}.")
    if wrong := wrong_with(facts, settings.contracts.identity, [operator], [operator]):
        raise CommandRefused(f"the guard cannot be paid through. {' '.join(wrong)}")
    return head.number


async def _write(ledger: Ledger, identity: Identity, operator: Address, nonce: int, say: Say) -> None:
    ledger_id = identity.ledger_id or secrets.token_hex(16)
    await ledger.admin.initialise(replace(identity, ledger_id=ledger_id), operator, nonce)
    say(f"Initialised: next nonce {nonce}. Ledger id: {ledger_id}")
    say(f"Set LEDGER_ID={ledger_id}, so that no other ledger is ever paid from.")
