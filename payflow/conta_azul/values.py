"""
Single values of the API: sums, dates, moments.

A sum is a JSON number of reais and becomes centavos exactly; a moment without an offset is São Paulo's time.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from foundation.clock import UnixMs
from payflow.errors import UnreadableAnswer
from payflow.model import Centavos

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
_NOISE = Decimal("0.0001")
"""A binary fraction may come out as 0.30000000000000004; anything coarser than this is no sum of reais."""
_BRAZILIAN = re.compile(r"(\d{2})/(\d{2})/(\d{4})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def centavos(value: object) -> Centavos:
    """
    Return a sum in centavos; null is zero.

    Raises:
        UnreadableAnswer: It is no finite number, or finer than a centavo.
    """
    if value is None:
        return Centavos(0)
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
        raise UnreadableAnswer("a sum is not a number")
    exact = Decimal(value) * 100
    whole = exact.to_integral_value()
    if abs(exact - whole) > _NOISE:
        raise UnreadableAnswer("a sum is finer than a centavo")
    return Centavos(int(whole))


def iso_date(value: object) -> str:
    """
    Return a date as ``YYYY-MM-DD``; an official guide shows ``dd/mm/yyyy`` as well.

    Raises:
        UnreadableAnswer: It is no date.
    """
    text = str(value)
    if match := _BRAZILIAN.fullmatch(text):
        text = f"{match[3]}-{match[2]}-{match[1]}"
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError:
        raise UnreadableAnswer("a date cannot be read") from None


def moment_ms(value: object) -> UnixMs | None:
    """
    Return a moment; None for null.

    Raises:
        UnreadableAnswer: It is no moment.
    """
    if value is None:
        return None
    try:
        read = datetime.fromisoformat(str(value))
    except ValueError:
        raise UnreadableAnswer("a moment cannot be read") from None
    aware = read if read.tzinfo else read.replace(tzinfo=SAO_PAULO)
    return UnixMs(int((aware - _EPOCH).total_seconds() * 1000))


def local_text(at: UnixMs) -> str:
    """Return a moment as a query takes it: São Paulo's time to the second, without an offset, which is refused."""
    return datetime.fromtimestamp(at // 1000, SAO_PAULO).strftime("%Y-%m-%dT%H:%M:%S")


def local_date(at: UnixMs) -> date:
    """Return the day it is in São Paulo."""
    return datetime.fromtimestamp(at // 1000, SAO_PAULO).date()
