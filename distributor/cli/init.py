"""``init``: make an empty ledger ours."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from urllib.parse import urlsplit

from distributor.chain.rpc import Rpc
from distributor.cli.argument_types import words
from distributor.cli.common_arguments import apply_argument, by_argument
from distributor.cli.context import DONE, REFUSED, CommandContext, CommandRefused, chain_name
from distributor.cli.declared import Command
from distributor.cli.language import N_, _
from distributor.ledger import Ledger
from distributor.model import Address
from distributor.payout.full_size import ask_full_size
from distributor.payout.guard_change import wrong_with
from distributor.payout.preflight import decimals_mismatch
from distributor.payout.shop_registration import ShopRegistration
from distributor.recovery.lost_ledger import signs_of_loss
from distributor.resources import Resources
from distributor.settings.chain import IN_FLIGHT_MAX
from distributor.settings.use_cases import InitSettings
from distributor.state import Identity
from foundation.errors import ConfigurationError

Say = Callable[[str], None]


async def init(context: CommandContext) -> int:
    """Found the ledger of the settings; 1 if it was refused."""
    options = context.options
    done = await initialise(
        context.parts, apply=options.apply, say=context.say, new_beginning=options.new_beginning, by=options.by
    )
    if options.json:
        context.answer({"done": done})
    return DONE if done else REFUSED


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
       a person says in words why nothing was lost, and the audit trail keeps them.
    5. The tables are made, and identity, nonce, commitments and control written as one group.

    Returns:
        False when it was refused; what was said tells why.

    Raises:
        ServiceError: A setting is wrong, or the ledger does not answer.
    """
    settings = await parts.settings(InitSettings)
    operator = (await parts.operator_keys.signer(settings.signing)).address
    tables, ledger = await parts.tables(), await parts.ledger()
    _show(settings, operator, urlsplit(tables.service.url).netloc, say)
    try:
        if apply:
            await tables.ensure()
        if await _is_ours(ledger, settings, operator, say, apply=apply):
            return True
        nonce = await next_nonce(await parts.rpc(), settings.contracts.chain_id, operator)
        await _try_what_a_payout_needs(parts, settings, operator)
        if not new_beginning:
            await _refuse_lost(parts, settings)
        since = await _check_guard(parts, settings, operator)
        if not apply:
            say(_("Dry run: would make this ledger ours, next nonce {nonce}. Do it with --apply.").format(nonce=nonce))
            return True
        await _write(ledger, replace(settings.contracts.identity, guard_since=since), operator, nonce, say)
        await _register_shops(parts, ledger)
        if new_beginning:
            await ledger.admin.record("new-beginning", operator, by, new_beginning)
    except CommandRefused as refusal:
        say(_("Refused: {reason}").format(reason=refusal))
        return False
    return True


def _show(settings: InitSettings, operator: Address, account: str, say: Say) -> None:
    contracts = settings.contracts
    none = _("none: nothing on the chain refuses a second payment")
    say(_("Chain:     {chain_id} ({name})").format(chain_id=contracts.chain_id, name=chain_name(contracts.chain_id)))
    say(_("Operator:  {operator}").format(operator=operator))
    say(_("Ledger:    table {table} at {account}").format(table=settings.storage.ledger_table, account=account))
    say(_("Token:     {address}").format(address=contracts.token))
    say(_("Authority: {address}").format(address=contracts.authority))
    say(_("Guard:     {address}").format(address=contracts.guard or none))
    say(_("Reserve:   {address}").format(address=contracts.reserve))


async def _is_ours(ledger: Ledger, settings: InitSettings, operator: Address, say: Say, *, apply: bool) -> bool:
    """Tell whether the ledger is ours already; False when it is nobody's. Raises Refused when it is another's."""
    try:
        found, binding_state = await ledger.identity(), await ledger.binding_state(operator)
    except ConfigurationError as error:
        if apply:
            raise
        say(_("The ledger cannot be read yet: {error}").format(error=error))
        return False
    if found is None:
        return False
    if wrong := _differences(found, settings.contracts.identity):
        raise CommandRefused(
            _("this ledger is another one's; nothing was changed. {differences}").format(differences=" ".join(wrong))
        )
    if binding_state is None:
        raise CommandRefused(
            _("this ledger is ours, but it knows no nonce of the operator {operator}: was its key changed?").format(
                operator=operator
            )
        )
    say(_("Already initialised, nothing to do. Ledger id: {ledger_id}").format(ledger_id=found.ledger_id))
    return True


async def _register_shops(parts: Resources, ledger: Ledger) -> None:
    """Register the shops' secrets that are configured here; where none is, the first round does it."""
    fingerprints = await parts.fingerprints()
    await ShopRegistration(ledger=ledger, fingerprints=fingerprints, secrets=parts.shop_secrets).keep_up()


def _differences(found: Identity, expected: Identity) -> Sequence[str]:
    mine = replace(expected, ledger_id=expected.ledger_id or found.ledger_id, guard_since=found.guard_since)
    names = [field.name for field in fields(Identity)]
    pairs = [(name, getattr(found, name), getattr(mine, name)) for name in names]
    said = _("{name}: the ledger has {theirs}, the settings have {ours}.")
    return [said.format(name=name, theirs=theirs, ours=ours) for name, theirs, ours in pairs if theirs != ours]


async def next_nonce(rpc: Rpc, chain_id: int, operator: Address) -> int:
    """Return the operator's next nonce, on which all nodes that answer must agree. Raises Refused."""
    chains = {head.chain_id for head in await rpc.heads()}
    if chains - {chain_id}:
        raise CommandRefused(
            _("a node of RPC_URL serves chain {other}, CHAIN_ID says {chain_id}.").format(
                other=min(chains - {chain_id}), chain_id=chain_id
            )
        )
    counts = {count for nonces in await rpc.nonces(operator) for count in nonces}
    if not counts:
        raise CommandRefused(_("no node of RPC_URL answers; its nonce must come from the chain."))
    if len(counts) > 1:
        raise CommandRefused(
            _(
                "the operator's nonce is between {lowest} and {highest}: transactions of it wait in a pool, or a node "
                "is behind. Wait until they are mined, and let nothing else use this key."
            ).format(lowest=min(counts), highest=max(counts))
        )
    return counts.pop()


async def _try_what_a_payout_needs(parts: Resources, settings: InitSettings, operator: Address) -> None:
    """Raise Refused when the token counts in other units than the settings; ChainUnavailable for a node too small."""
    chain = await parts.chain()
    snapshot = await chain.pre_bind_snapshot(operator)
    await ask_full_size(chain, node=snapshot.node, head_number=snapshot.head.number, transactions=IN_FLIGHT_MAX)
    if wrong := decimals_mismatch(snapshot.decimals, settings.contracts.decimals):
        raise CommandRefused(wrong)


async def _refuse_lost(parts: Resources, settings: InitSettings) -> None:
    """Raise Refused when settings or chain show that this ledger, or one before it, has paid already."""
    rpc, operators = await parts.rpc(), await parts.operator_keys.signers(settings.signing)
    last_block = max(head.number for head in await rpc.heads())
    signs = await signs_of_loss(
        await parts.history(),
        ledger_id=settings.contracts.ledger_id or "",
        next_nonces={each: await next_nonce(rpc, settings.contracts.chain_id, each) for each in operators},
        first_block=settings.first_block,
        last_block=last_block,
    )
    if signs:
        raise CommandRefused(
            _(
                "this ledger is empty, and it is not new: it was lost. {signs} Run `rebuild`: it brings back what was "
                "paid, and init would let old orders be paid again. Only where no shop can send again any order that "
                'was paid before: init --new-beginning "WHY".'
            ).format(signs=" ".join(signs))
        )


async def _check_guard(parts: Resources, settings: InitSettings, operator: Address) -> int | None:
    """Return since which block payouts go through the guard; None without one. Raises CommandRefused if it cannot."""
    if settings.contracts.guard is None:
        return None
    head = (await (await parts.chain()).snapshot([], [], [])).head
    facts = await (await parts.guard()).facts(settings.contracts.guard, [operator], [], block=head.number)
    if facts is None:
        raise CommandRefused(_("there is no guard at {address}.").format(address=settings.contracts.guard))
    if wrong := wrong_with(facts, settings.contracts.identity, [operator], [operator]):
        raise CommandRefused(_("the guard cannot be paid through. {reasons}").format(reasons=" ".join(wrong)))
    return head.number


async def _write(ledger: Ledger, identity: Identity, operator: Address, nonce: int, say: Say) -> None:
    ledger_id = identity.ledger_id or secrets.token_hex(16)
    await ledger.admin.initialise(replace(identity, ledger_id=ledger_id), operator, nonce)
    say(_("Initialised: next nonce {nonce}. Ledger id: {ledger_id}").format(nonce=nonce, ledger_id=ledger_id))
    say(_("Set LEDGER_ID={ledger_id}, so that no other ledger is ever paid from.").format(ledger_id=ledger_id))


def _arguments(command: argparse.ArgumentParser) -> None:
    apply_argument(command)
    command.add_argument(
        "--new-beginning",
        type=words,
        metavar="WHY",
        help=_("there were payouts before, and no shop can send their orders again: the reason, for the audit trail"),
    )
    by_argument(command)


COMMANDS = (
    Command(
        name="init",
        summary=N_("initialise an empty ledger, once; nothing is paid before"),
        description=N_(
            "Initialise an empty ledger: its tables, its identity, and the operator's next nonce as the chain has it. "
            "A lost ledger is refused (LEDGER_ID is set, or the key or the reserve has paid before): use rebuild."
        ),
        run=init,
        arguments=_arguments,
    ),
)
