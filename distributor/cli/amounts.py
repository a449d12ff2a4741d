"""Amounts as people read them: tokens, not units; thousands grouped; what is missing."""

from __future__ import annotations

from distributor.cli.language import _
from distributor.units import format_units

NATIVE_DECIMALS = 18


def tokens(units: int, decimals: int) -> str:
    """
    Return *units* as whole tokens with their thousands grouped: ``1,234,567.5``.

    The separators are the same in every language, so that a number can be copied from one screen to another.
    """
    text = format_units(abs(units), decimals)
    whole, point, rest = text.partition(".")
    sign = "-" if units < 0 else ""
    return f"{sign}{int(whole):,}{point}{rest}"


def short_by(needed: int, available: int, decimals: int) -> str:
    """Return what is missing: ``short by 4``; empty where there is enough."""
    missing = needed - available
    return _("short by {tokens}").format(tokens=tokens(missing, decimals)) if missing > 0 else ""
