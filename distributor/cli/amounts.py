"""Amounts as people read them: tokens, not units; thousands grouped; what is missing."""

from __future__ import annotations

from distributor.cli.language import _
from distributor.units import format_units

NATIVE_DECIMALS = 18


class Amount(str):
    """
    An amount in tokens: a plain decimal text for programs, ``1,234,567.5`` for people.

    The separators are the same in every language, so that a number on one screen is found on another.
    """

    __slots__ = ()

    @property
    def grouped(self) -> str:
        """The same with its thousands grouped."""
        whole, point, rest = self.lstrip("-").partition(".")
        return f"{'-' if self.startswith('-') else ''}{int(whole):,}{point}{rest}"


def tokens(units: int, decimals: int) -> Amount:
    """Return *units* in whole tokens."""
    return Amount(format_units(units, decimals))


def short_by(needed: int, available: int, decimals: int) -> str:
    """Return what is missing: ``short by 4``; empty where there is enough."""
    missing = needed - available
    return _("short by {tokens}").format(tokens=tokens(missing, decimals).grouped) if missing > 0 else ""
