"""
What each kind of setting accepts: text in, value out, or one sentence that fits after its name.

No sentence repeats the text: it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from pydantic import BeforeValidator

from foundation.settings import urls
from foundation.settings.references import is_reference

_WHOLE = re.compile(r"[0-9]{1,18}")
_NUMBER = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")
_SETTING_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")
_TABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,62}")
_SECONDS_MAX = 86_400
_DAYS_MAX, _DAYS_KEPT_MIN = 36_500, 30
_YES_NO = {"1": True, "true": True, "0": False, "false": False}


T = TypeVar("T")


def parsed(parse: Callable[[str], object]) -> BeforeValidator:
    """Make a field's text its value; what is a value already, as code builds a group, stays as it is."""
    return BeforeValidator(lambda given: parse(given) if isinstance(given, str) else given)


def optional(parse: Callable[[str], T]) -> Callable[[str], T | None]:
    """Accept also no text, which is None."""
    return lambda text: parse(text) if text else None


def whole(least: int, most: int) -> Callable[[str], int]:
    """Accept a whole number between two bounds, both included."""

    def parse(text: str) -> int:
        if not (_WHOLE.fullmatch(text) and least <= int(text) <= most):
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return parse


def days_kept(text: str) -> int:
    """Accept days until something old is emptied: 0 for never, or enough that nobody still works with it."""
    days = whole(0, _DAYS_MAX)(text)
    if 0 < days < _DAYS_KEPT_MIN:
        raise ValueError(f"must be 0, or {_DAYS_KEPT_MIN} and more")
    return days


def setting_name(text: str) -> str:
    """Accept the name of another setting."""
    if not _SETTING_NAME.fullmatch(text):
        raise ValueError("must be the name of a setting, like AzureWebJobsStorage; not a connection string")
    return text


def table_name(text: str) -> str:
    """Accept a name Azure takes for a table."""
    if not _TABLE_NAME.fullmatch(text):
        raise ValueError("must be 3 to 63 letters and digits, the first a letter")
    return text


def seconds(text: str) -> float:
    """Accept a time above zero, at most a day."""
    if not (_NUMBER.fullmatch(text) and 0 < float(text) <= _SECONDS_MAX):
        raise ValueError(f"must be a number of seconds, more than 0 and at most {_SECONDS_MAX}")
    return float(text)


def milliseconds(text: str) -> int:
    """Accept seconds, return milliseconds."""
    return round(seconds(text) * 1_000)


def yes_no(text: str) -> bool:
    """Accept 1 or 0."""
    if text.lower() not in _YES_NO:
        raise ValueError("must be 1 or 0")
    return _YES_NO[text.lower()]


def log_level(text: str) -> str:
    """Accept a level of Python's logging."""
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
    return text.upper()


def https_url(text: str) -> str:
    """Accept an address that carries a secret: https, or this machine."""
    refuse_reference(text)
    if not urls.is_private(urls.split_url(text)):
        raise ValueError("must be an https URL")
    return text


def refuse_reference(text: str) -> None:
    """Raise ValueError for a Key Vault reference, which only its resolved value may replace."""
    if is_reference(text):
        raise ValueError("is a Key Vault reference that was not resolved")
