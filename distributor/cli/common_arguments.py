"""Arguments that several commands take, each declared once."""

from __future__ import annotations

import argparse

from distributor.cli.argument_types import order_key, user, words
from distributor.cli.language import _


def order_argument(command: argparse.ArgumentParser) -> None:
    """Add the order's name."""
    command.add_argument("order", type=order_key, metavar="ORDER", help=_("SHOP:ID, SHOP/ID, or ID alone"))


def apply_argument(command: argparse.ArgumentParser) -> None:
    """Add ``--apply``, without which nothing is written."""
    command.add_argument("--apply", action="store_true", help=_("do it; without it, only show what would be done"))


def by_argument(command: argparse.ArgumentParser) -> None:
    """Add who does it."""
    command.add_argument("--by", type=words, default=user(), help=_("who; by default the user of this machine"))


def by_and_why(command: argparse.ArgumentParser, why: str, *, required: bool = False) -> None:
    """Add who does it and the reason, which is explained as *why* says."""
    command.add_argument("--why", required=required, type=words, help=why)
    by_argument(command)
