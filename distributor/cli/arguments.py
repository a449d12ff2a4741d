"""What can be asked at the command line."""

from __future__ import annotations

import argparse
import getpass
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from distributor.addresses import parse_address
from distributor.cli.orders import order_key
from distributor.model import Address, Hash, OrderKey

_HASH = re.compile(r"0x[0-9a-fA-F]{64}")
_EPILOG = """\
exit codes:
  0  done, already done, or a dry run
  1  a difference, a refusal, or the ledger or the nodes do not answer; what is said tells why
  2  wrong arguments, or a setting is missing or wrong
"""
_COMMANDS: Mapping[str, tuple[str, str]] = {
    "init": (
        "make an empty ledger ours, once; nothing is paid before",
        """\
Make an empty ledger ours: its tables, whose it is, and the operator's next nonce as the chain has it.
A ledger that was lost is refused (LEDGER_ID is set, or the key or the reserve has paid before): rebuild is the way
back.""",
    ),
    "show": ("show the whole service on one page", "Show what stops it, what is in flight, and what was seen last."),
    "pause": ("stop all binding", "Stop all binding, also of a round in progress. What is in flight goes on."),
    "halt": (
        "stop all binding and all submitting",
        """\
Stop all binding and all submitting, but for what a person does by hand. What the nodes have already may still be
mined; only the authority or the reserve can stop that.""",
    ),
    "resume": (
        "end a pause or a halt",
        "End a pause and a halt; the sweep wakes the waiting orders, and what was signed is submitted.",
    ),
    "order": ("show one order", "Show where an order stands: SOURCE/ID, or ID for the shop of WEBHOOK_SECRET."),
    "held": ("list the orders that wait for a person", "List the held orders, each with its reason."),
    "retry": (
        "put a held order back into the line",
        "Put a held order back into the line. First find out, on chain, that the customer did not get the tokens.",
    ),
    "cancel": (
        "cancel an order permanently",
        "Take back an order that waits or is held. Its id is never usable again.",
    ),
    "add-operator": (
        "let the configured operator pay",
        "Let the operator of OPERATOR_PK or OPERATOR_KEY_ID pay, from its nonce on the chain on.",
    ),
    "cancel-nonce": (
        "spend a nonce on nothing",
        "Spend a nonce on nothing whose payment the contract would refuse, so that those behind it move on.",
    ),
    "resolve": (
        "end a nonce that an unknown transaction used",
        "End a nonce that a transaction of nobody's used up: paid where that transaction is the payment, else held.",
    ),
    "resubmit": (
        "hand stored bytes to the nodes again",
        """\
Hand the stored bytes of a nonce to the nodes again: of a payment that was closed and left the chain, say. Stored bytes
can be mined once at most.""",
    ),
    "settle": (
        "call an order paid by a transaction",
        """\
Call an order paid by a transaction that moved its amount from the reserve to its wallet and paid no other order. With
--node a bound order is closed by that node's word alone, and only as paid.""",
    ),
    "reopen": (
        "hold a paid order that was not paid",
        "Hold an order that is called paid: --tx is the transaction that used its nonce, finally, and did not pay it.",
    ),
    "guard": (
        "show, fill and adopt the guard contract",
        """\
show: what the guard is like, and who could pay without it.
import: what was paid and is not recorded in it, as transactions for its owner; run it again until nothing is missing.
adopt: let this ledger pay through it. Refused with every reason while something stands in the way.""",
    ),
    "audit-chain": (
        "hold the ledger against the chain",
        "Hold the ledger against the chain: every paid order has its transfer, every transfer its order.",
    ),
    "rebuild": (
        "make a lost ledger again from the chain",
        """\
Make a lost ledger again: pause, spend every nonce a lost payout could still use, wait until that is
final, then write what the chain shows. The pause stays on. Interrupted, run it again.""",
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
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made = {name: _command(commands, name) for name in _COMMANDS}
    for name, add in _ARGUMENTS.items():
        add(made[name])
    for name in _CHANGING:
        _changing(made[name])
    return top


def _command(commands: Any, name: str) -> argparse.ArgumentParser:
    summary, description = _COMMANDS[name]
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--settings", type=Path, metavar="FILE", help="a local.settings.json; without it the environment is read"
    )
    command.add_argument("--json", action="store_true", help="answer in JSON; the story goes to the error stream")
    return command


def _changing(command: argparse.ArgumentParser) -> None:
    command.add_argument("--apply", action="store_true", help="do it; without it only what would be done is shown")
    command.add_argument("--why", required=True, type=_words, help="for the audit trail")
    command.add_argument("--by", type=_words, default=_user(), help="who; by default the user of this machine")


def _init(command: argparse.ArgumentParser) -> None:
    command.add_argument("--apply", action="store_true", help="do it; without it only what would be done is shown")
    command.add_argument(
        "--new-beginning",
        type=_words,
        metavar="WHY",
        help="there was a past, and no shop can send its orders again: say why, for the audit trail",
    )
    command.add_argument("--by", type=_words, default=_user(), help="who; by default the user of this machine")


def _order(command: argparse.ArgumentParser) -> None:
    command.add_argument("order", type=order_key, metavar="ORDER", help="SOURCE/ID, or ID alone")


def _retry(command: argparse.ArgumentParser) -> None:
    _order(command)
    command.add_argument(
        "--no-tokens-moved", action="store_true", help="you read the events of its transaction: the wallet got nothing"
    )


def _nonce(command: argparse.ArgumentParser) -> None:
    command.add_argument("--operator", required=True, type=_address, metavar="ADDRESS")
    command.add_argument("--nonce", required=True, type=_whole)


def _resolve(command: argparse.ArgumentParser) -> None:
    _nonce(command)
    command.add_argument("--tx", required=True, type=_hash, metavar="HASH", help="the transaction that used the nonce")


def _settle(command: argparse.ArgumentParser) -> None:
    _order(command)
    command.add_argument("--tx", required=True, type=_hash, metavar="HASH", help="the transaction that paid it")
    command.add_argument("--node", default="", metavar="HOST", help="a bound order: the node whose word decides")


def _reopen(command: argparse.ArgumentParser) -> None:
    _order(command)
    command.add_argument("--tx", required=True, type=_hash, metavar="HASH", help="the transaction that used its nonce")


def _audit(command: argparse.ArgumentParser) -> None:
    _history(command)
    command.set_defaults(apply=False)


def _rebuild(command: argparse.ArgumentParser) -> None:
    _history(command)
    command.add_argument(
        "--accept-incomplete",
        default="",
        metavar="WHY",
        help="the past does not add up, and you know why: what is not found may be paid again",
    )


def _history(command: argparse.ArgumentParser) -> None:
    command.add_argument("--from-block", type=_whole, metavar="N", help="instead of FIRST_BLOCK")
    command.add_argument(
        "--operator", action="append", default=[], type=_address, metavar="ADDRESS", help="one that used to be ours"
    )
    command.add_argument(
        "--accept-transfer",
        action="append",
        default=[],
        type=_accepted,
        metavar="HASH[=ORDER]",
        help="explained: the payment of ORDER, or of no order of ours",
    )


def _guard(command: argparse.ArgumentParser) -> None:
    command.add_argument("action", choices=["show", "adopt", "import"], help="see it; pay through it; fill it")
    command.add_argument("address", nargs="?", type=_address, metavar="ADDRESS", help="instead of GUARD_ADDRESS")
    command.add_argument("--apply", action="store_true", help="do it; without it only what would be done is shown")
    command.add_argument("--why", type=_words, help="for the audit trail; needed to adopt")
    command.add_argument("--by", type=_words, default=_user(), help="who; by default the user of this machine")
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


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} {error}") from None


def _hash(text: str) -> Hash:
    if not _HASH.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text} is no transaction hash: 0x and 64 hex digits")
    return Hash(text.lower())


def _accepted(text: str) -> tuple[Hash, OrderKey | None]:
    tx_hash, _, order = text.partition("=")
    return _hash(tx_hash), order_key(order) if order else None


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text} is no whole number")
    return int(text)


def _words(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("say it in words")
    return text.strip()


def _user() -> str:
    """Return the name of the user of this machine; without one, that nobody is known."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user in a container: KeyError before Python 3.13, OSError since
        return "unknown"
