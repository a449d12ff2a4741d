"""
Money is ``int``: wei of the native coin, smallest units of the token.

``Decimal`` is turned into ``int`` here and nowhere else. An amount is never rounded on the way in;
what a sum is worth at a rate is rounded down, once, to the token's smallest unit.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal, Inexact, InvalidOperation
from typing import NewType

Wei = NewType("Wei", int)
"""Smallest unit of the native coin (POL); prices are wei per gas."""

TokenUnits = NewType("TokenUnits", int)
"""Smallest unit of the token: 10 ** -decimals of one token."""

UINT256_MAX = 2**256 - 1
_GWEI_DECIMALS = 9
# Wide enough for any uint256 (78 digits) with 77 decimals; an inexact result raises, never rounds.
_EXACT = Context(prec=160, traps=[Inexact, InvalidOperation])


class TooManyDecimals(ValueError):
    """An amount finer than the smallest unit; it is never rounded."""


def token_units(amount: Decimal, decimals: int) -> TokenUnits:
    """
    Return *amount* tokens in smallest units, exactly.

    Raises:
        TooManyDecimals: More decimals than the token has.
        ValueError: Not finite, or outside uint256.
    """
    return TokenUnits(_scaled(amount, decimals))


def token_units_at(tokens_per_unit: Decimal, total: Decimal, decimals: int) -> TokenUnits:
    """
    Return what *total* is worth at a rate, in smallest units of the token, rounded down.

    The product is exact; only what is finer than the token is dropped, so never more than the rate is paid.

    Raises:
        ValueError: Not finite, or outside uint256.
    """
    try:
        worth = _EXACT.scaleb(_EXACT.multiply(tokens_per_unit, total), decimals)
    except (Inexact, InvalidOperation):
        raise ValueError("more digits than any token amount has") from None
    return TokenUnits(_scaled(worth.to_integral_value(ROUND_DOWN), 0))


def gwei_to_wei(amount: Decimal) -> Wei:
    """
    Return *amount* gwei in wei, exactly.

    Raises:
        ValueError: Not finite, finer than one wei, or outside uint256.
    """
    return Wei(_scaled(amount, _GWEI_DECIMALS))


def format_units(units: int, decimals: int) -> str:
    """Return *units* as a plain decimal text without trailing zeros: ``10500…`` is ``"10.5"``."""
    sign = "-" if units < 0 else ""
    whole, part = divmod(abs(units), 10**decimals)
    digits = f"{part:0{decimals}d}".rstrip("0") if decimals else ""
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"


def format_gwei(price: Wei) -> str:
    """Return *price* (wei per gas) in gwei, as a plain decimal text."""
    return format_units(price, _GWEI_DECIMALS)


def _scaled(amount: Decimal, decimals: int) -> int:
    if not amount.is_finite():
        raise ValueError("not a finite number")
    if amount and not -200 <= amount.adjusted() <= 200:  # noqa: PLR2004 -- bounds the work below
        raise ValueError("exponent out of range")
    try:
        scaled = _EXACT.scaleb(amount, decimals)
        whole = _EXACT.to_integral_exact(scaled)
    except (Inexact, InvalidOperation):
        raise TooManyDecimals(f"more than {decimals} decimals") from None
    if not 0 <= whole <= UINT256_MAX:
        raise ValueError("outside the range of a token amount")
    return int(whole)
