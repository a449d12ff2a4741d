"""``deploy-guard``: create the guard contract; nothing is paid through it before ``guard adopt``."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import Final

from eth_abi.abi import encode

from distributor.addresses import keccak256
from distributor.cli.argument_types import address_argument
from distributor.cli.common_arguments import apply_argument
from distributor.cli.context import DONE, REFUSED, CommandContext, CommandRefused
from distributor.cli.declared import Command
from distributor.cli.language import N_, _, detail
from distributor.model import Address
from distributor.payout.guard_deployment import DEPLOY_GAS, Deployed, GuardDeployment
from distributor.settings.use_cases import HistorySettings
from distributor.signing.creation import DEPLOYER, Deployer, created_address
from distributor.state import Identity

ARTIFACT: Final = Path(__file__).resolve().parents[2] / "contracts" / "artifacts" / "PayoutGuard.json"
_ALLOW: Final = keccak256(b"allow(address)")[:4]


async def deploy_guard(context: CommandContext) -> int:
    """Look, create the guard with DEPLOYER_PK, and say what its owner does next; dry without ``--apply``."""
    settings = await context.begin(HistorySettings)
    deployer = _deployer(context)
    operators = sorted(await context.parts.operator_keys.signers(settings.payout.signing))
    known = await (await context.rebuild_store()).operators()
    identity = settings.payout.contracts.identity
    deployment = GuardDeployment(
        chain=await context.parts.chain(),
        guard=await context.parts.guard(),
        identity=identity,
        hot_keys={*operators, *known},
        owner=context.options.owner,
        code=await _code(identity, context.options.owner),
        address_of=created_address,
        limits=settings.payout.fees,
        sleep=asyncio.sleep,
        block_time_s=settings.payout.lane.block_time_s,
    )
    done = Deployed(in_the_way=await deployment.obstacles(deployer.address if deployer else None))
    action = _("create a guard for authority {authority}, owned by {owner}").format(
        authority=identity.authority, owner=context.options.owner
    )
    if not done.in_the_way and context.applies(action):
        if deployer is None:
            raise CommandRefused(_("Set DEPLOYER_PK to the key that pays for it; never to the operator's."))
        done = await deployment.deploy(deployer)
    _show(context, done, deployment, operators)
    return REFUSED if done.in_the_way else DONE


def _deployer(context: CommandContext) -> Deployer | None:
    key = context.environ.get(DEPLOYER, "")
    return Deployer(key) if key else None


async def _code(identity: Identity, owner: Address) -> bytes:
    """Return what creates the guard; its source, its compiler and its bytes are in this repository."""
    try:
        artifact = json.loads(await asyncio.to_thread(ARTIFACT.read_text, encoding="utf-8"))
    except FileNotFoundError:
        raise CommandRefused(
            _("{file} is not here: run the command in a checkout of the repository.").format(file=ARTIFACT)
        ) from None
    arguments = encode(["address"] * 3, [identity.token, identity.authority, owner])
    return bytes.fromhex(artifact["bytecode"].removeprefix("0x")) + arguments


def _show(context: CommandContext, done: Deployed, deployment: GuardDeployment, operators: list[Address]) -> None:
    """Show the guard and what its owner signs next; of a dry run the code, for a wallet that is not a file."""
    guard = None if done.in_the_way else done.guard
    if guard is not None:
        said = _("Guard {guard} is created. Its owner allows the keys below; then `guard import {guard}`.")
        context.say(said.format(guard=guard))
    context.answer(
        {
            "guard": guard,
            "owner": deployment.owner,
            "transaction": done.signed.tx_hash if done.signed else None,
            "gas_limit": DEPLOY_GAS,
            "in_the_way": list(map(detail, done.in_the_way)),
            "owner_signs": [{"to": guard, "data": _allow(key)} for key in operators] if guard else [],
            **({} if done.signed else {"creation_code": f"0x{deployment.code.hex()}"}),
        }
    )


def _allow(key: Address) -> str:
    return f"0x{(_ALLOW + encode(['address'], [key])).hex()}"


def _arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--owner",
        required=True,
        type=address_argument,
        metavar="ADDRESS",
        help=_("who allows keys and pauses: a multisig"),
    )
    apply_argument(command)


COMMANDS = (
    Command(
        name="deploy-guard",
        summary=N_("create the guard contract"),
        description=N_(
            "Create the guard contract for the token and the authority of the settings. Signed with DEPLOYER_PK, a "
            "key with some POL that is no operator's; without --apply the code is shown and nothing is sent. Nothing "
            "is paid through it before `guard adopt`."
        ),
        run=deploy_guard,
        arguments=_arguments,
    ),
)
