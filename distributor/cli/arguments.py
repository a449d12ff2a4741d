"""What can be asked at the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from distributor import __version__
from distributor.cli import argument_types
from distributor.cli.commands import COMMANDS

_EPILOG = """\
exit codes:
  0  done, already done, or a dry run
  1  a difference, a refusal, or the ledger or the nodes do not answer; the output says why
  2  wrong arguments, or a setting is missing or wrong
"""
_COMMANDS: Mapping[str, tuple[str, str]] = {
    "init": (
        "initialise an empty ledger, once; nothing is paid before",
        """\
Initialise an empty ledger: its tables, its identity, and the operator's next nonce as the chain has it.
A lost ledger is refused (LEDGER_ID is set, or the key or the reserve has paid before): use rebuild.""",
    ),
    "show": (
        "show the whole service on one page",
        "Show what stops payouts, what is in flight, and what was last seen.",
    ),
    "pause": ("stop all binding", "Stop all binding, including a round in progress. Transactions in flight continue."),
    "halt": (
        "stop all binding and broadcasting",
        """\
Stop all binding and all broadcasting, except by an operator's command. Transactions that nodes already have may
still be mined; only the authority or the reserve can stop those.""",
    ),
    "resume": (
        "end a pause or a halt",
        "End a pause and a halt. The sweep wakes the waiting orders; signed transactions are broadcast.",
    ),
    "order": ("show one order", "Show the status of an order: SHOP:ID, SHOP/ID, or ID for the shop of WEBHOOK_SECRET."),
    "held": ("list the held orders", "List the orders that wait for an operator, each with its reason."),
    "retry": (
        "put a held order back into the backlog",
        "Put a held order back into the backlog. First check on the chain that no tokens reached the customer.",
    ),
    "cancel": (
        "cancel an order permanently",
        "Cancel an order that is waiting or held. Its id can never be used again.",
    ),
    "add-operator": (
        "let the configured operator pay",
        "Let the operator of OPERATOR_PK or OPERATOR_KEY_ID pay, starting at its nonce on the chain.",
    ),
    "cancel-nonce": (
        "cancel a stuck nonce",
        "Consume a nonce without paying, if the contract would refuse its payment, so that later nonces can proceed.",
    ),
    "resolve": (
        "close a nonce that an unknown transaction consumed",
        "Close a nonce that was consumed by an unknown transaction: the order is paid if it paid it, else held.",
    ),
    "resubmit": (
        "broadcast stored bytes again",
        """\
Broadcast the stored bytes of a nonce again, for example of a payment that was closed and then left the chain. The
bytes can be mined at most once.""",
    ),
    "settle": (
        "mark an order as paid by a transaction",
        """\
Mark an order as paid by a transaction that moved its amount from the reserve to its wallet and paid no other order.
With --node a bound order is closed by that node's word alone, and only as paid.""",
    ),
    "reopen": (
        "hold a paid order that was not paid",
        "Hold an order that is marked as paid: --tx is the final transaction of its nonce, which did not pay it.",
    ),
    "guard": (
        "show, fill and adopt the guard contract",
        """\
show: what the guard is like, and who could pay without it.
import: what was paid and is not recorded in it, as transactions for its owner; run it again until nothing is missing.
adopt: let this ledger pay through it. Refused, with every reason, while something prevents it.""",
    ),
    "audit-chain": (
        "compare the ledger with the chain",
        "Compare the ledger with the chain: every paid order must have its transfer, every transfer its order.",
    ),
    "rebuild": (
        "rebuild a lost ledger from the chain",
        """\
Rebuild a lost ledger: pause, cancel every nonce a lost payout could still use, wait until that is
final, then write what the chain shows. Payouts stay paused. If it is interrupted, run it again.""",
    ),
}


_CHANGING = (
    *("pause", "halt", "resume", "retry", "cancel", "add-operator", "cancel-nonce", "resolve", "rebuild"),
    *("resubmit", "settle", "reopen"),
)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="python -m distributor",
        description="The operator's command line of the BALLX Backend Distributor.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made = {name: _command(commands, name, *said) for name, said in _COMMANDS.items()}
    for declared in COMMANDS:
        command = _command(commands, declared.name, declared.summary, declared.description)
        declared.arguments(command)
        if declared.changes:
            _changing(command)
    for name, add in _ARGUMENTS.items():
        add(made[name])
    for name in _CHANGING:
        _changing(made[name])
    return top


def _command(commands: Any, name: str, summary: str, description: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--settings", type=Path, metavar="FILE", help="a local.settings.json; without it, the environment is read"
    )
    command.add_argument("--json", action="store_true", help="print JSON; progress goes to the error stream")
    return command


def _changing(command: argparse.ArgumentParser) -> None:
    command.add_argument("--apply", action="store_true", help="do it; without it, only show what would be done")
    command.add_argument("--why", required=True, type=argument_types.words, help="for the audit trail")
    command.add_argument(
        "--by",
        type=argument_types.words,
        default=argument_types.user(),
        help="who; by default the user of this machine",
    )


def _init(command: argparse.ArgumentParser) -> None:
    command.add_argument("--apply", action="store_true", help="do it; without it, only show what would be done")
    command.add_argument(
        "--new-beginning",
        type=argument_types.words,
        metavar="WHY",
        help="there were payouts before, and no shop can send their orders again: the reason, for the audit trail",
    )
    command.add_argument(
        "--by",
        type=argument_types.words,
        default=argument_types.user(),
        help="who; by default the user of this machine",
    )


def _order(command: argparse.ArgumentParser) -> None:
    command.add_argument("order", type=argument_types.order_key, metavar="ORDER", help="SHOP:ID, SHOP/ID, or ID alone")


def _retry(command: argparse.ArgumentParser) -> None:
    _order(command)
    command.add_argument(
        "--no-tokens-moved",
        action="store_true",
        help="you read the events of its transaction: the wallet received nothing",
    )


def _nonce(command: argparse.ArgumentParser) -> None:
    command.add_argument("--operator", required=True, type=argument_types.address, metavar="ADDRESS")
    command.add_argument("--nonce", required=True, type=argument_types.whole)


def _resolve(command: argparse.ArgumentParser) -> None:
    _nonce(command)
    command.add_argument(
        "--tx",
        required=True,
        type=argument_types.tx_hash,
        metavar="HASH",
        help="the transaction that consumed the nonce",
    )


def _settle(command: argparse.ArgumentParser) -> None:
    _order(command)
    command.add_argument(
        "--tx", required=True, type=argument_types.tx_hash, metavar="HASH", help="the transaction that paid it"
    )
    command.add_argument("--node", default="", metavar="HOST", help="for a bound order: the node whose answer decides")


def _reopen(command: argparse.ArgumentParser) -> None:
    _order(command)
    command.add_argument(
        "--tx",
        required=True,
        type=argument_types.tx_hash,
        metavar="HASH",
        help="the transaction that consumed its nonce",
    )


def _audit(command: argparse.ArgumentParser) -> None:
    _history(command)
    command.set_defaults(apply=False)


def _rebuild(command: argparse.ArgumentParser) -> None:
    _history(command)
    command.add_argument(
        "--accept-incomplete",
        default="",
        metavar="WHY",
        help="the history does not add up and you know why; a payment that is not found may be paid again",
    )


def _history(command: argparse.ArgumentParser) -> None:
    command.add_argument("--from-block", type=argument_types.whole, metavar="N", help="instead of FIRST_BLOCK")
    command.add_argument(
        "--operator",
        action="append",
        default=[],
        type=argument_types.address,
        metavar="ADDRESS",
        help="a former operator",
    )
    command.add_argument(
        "--accept-transfer",
        action="append",
        default=[],
        type=argument_types.accepted_transfer,
        metavar="HASH[=ORDER]",
        help="an explained transfer: the payment of ORDER, or of no order",
    )


def _guard(command: argparse.ArgumentParser) -> None:
    command.add_argument("action", choices=["show", "adopt", "import"], help="see it; pay through it; fill it")
    command.add_argument(
        "address", nargs="?", type=argument_types.address, metavar="ADDRESS", help="instead of GUARD_ADDRESS"
    )
    command.add_argument("--apply", action="store_true", help="do it; without it, only show what would be done")
    command.add_argument("--why", type=argument_types.words, help="for the audit trail; needed to adopt")
    command.add_argument(
        "--by",
        type=argument_types.words,
        default=argument_types.user(),
        help="who; by default the user of this machine",
    )
    command.add_argument("--out", type=Path, metavar="FILE", help="import: the owner's transactions, for a Safe")


_ARGUMENTS: Mapping[str, Callable[[argparse.ArgumentParser], None]] = {
    "init": _init,
    "order": _order,
    "retry": _retry,
    "cancel": _order,
    "cancel-nonce": _nonce,
    "resolve": _resolve,
    "resubmit": _nonce,
    "settle": _settle,
    "reopen": _reopen,
    "guard": _guard,
    "audit-chain": _audit,
    "rebuild": _rebuild,
}
