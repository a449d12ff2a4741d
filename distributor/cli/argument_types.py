"""What an argument of a command may look like: each is checked before anything is asked of anybody."""

from __future__ import annotations

import argparse
import getpass
import re

from distributor.addresses import parse_address
from distributor.cli.language import _
from distributor.model import DEFAULT_SOURCE, Address, Hash, OrderKey
from distributor.order_ids import SOURCE

_HASH = re.compile(r"0x[0-9a-fA-F]{64}")


def order_key(text: str) -> OrderKey:
    """
    Return the order meant by ``SHOP:ID`` (as it is printed everywhere), ``SHOP/ID`` or ``ID`` alone.

    ``ID`` alone is the plain shop's. Neither a shop's name nor an id can hold a colon or a slash.
    """
    source, separator, order_id = text.strip().replace(":", "/", 1).rpartition("/")
    return OrderKey(source if separator else DEFAULT_SOURCE, order_id)


def address_argument(text: str) -> Address:
    """Return *text* as an address with its checksum."""
    try:
        return parse_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} {error}") from None


def shop_argument(text: str) -> str:
    """Return *text* as the name of a shop."""
    if not SOURCE.fullmatch(text):
        raise argparse.ArgumentTypeError(_("{text} is not a shop's name: 1 to 16 of a-z 0-9 -").format(text=text))
    return text


def tx_hash(text: str) -> Hash:
    """Return *text* as the hash of a transaction."""
    if not _HASH.fullmatch(text):
        raise argparse.ArgumentTypeError(
            _("{text} is not a transaction hash: it must be 0x and 64 hex digits").format(text=text)
        )
    return Hash(text.lower())


def accepted_transfer(text: str) -> tuple[Hash, OrderKey | None]:
    """Return the hash, and the order it paid where ``=ORDER`` names one."""
    named, _equals, order = text.partition("=")
    return tx_hash(named), order_key(order) if order else None


def count_argument(text: str) -> int:
    """Return *text* as a whole number, not below zero."""
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(_("{text} is not a whole number").format(text=text))
    return int(text)


def words(text: str) -> str:
    """Return *text* without the white space around it; at least one word."""
    if not text.strip():
        raise argparse.ArgumentTypeError(_("must not be empty"))
    return text.strip()


def user() -> str:
    """Return the name of the user of this machine, or "unknown"."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user in a container: KeyError before Python 3.13, OSError since
        return "unknown"
