"""
What each kind of setting accepts: text in, value out, or one sentence that fits after its name.

No sentence repeats the text: it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from distributor.addresses import ZERO_ADDRESS, parse_address
from distributor.model import DEFAULT_SOURCE, Address
from distributor.settings.references import is_reference
from distributor.settings.shop_secrets import WHSEC, whsec_key
from distributor.units import Wei, gwei_to_wei, token_units
from foundation.settings import urls

CURVE_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""Of secp256k1: a private key is a number above zero and below it. Source: SEC 2, section 2.4.1."""
_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}")
_WHOLE = re.compile(r"[0-9]{1,18}")
_NUMBER = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")
_SETTING_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")
_TABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,62}")
_LEDGER_ID = re.compile(r"[0-9a-f]{32}")
_FINALITY = re.compile(r"depth:([0-9]{1,6})")
# What WooCommerce's REST interface shows: statuses without the wc- they are stored with.
_WOO_STATUS = re.compile(r"(?!wc-)[a-z0-9][a-z0-9_-]{0,19}")
_CURRENCY = re.compile(r"[A-Z][A-Z0-9]{2,9}")
_META_KEY = re.compile(r"[^\x00-\x1f\x7f]{1,255}")
_SOURCE = re.compile(r"[A-Z0-9][A-Z0-9_]{0,15}")
_SECRET_BYTES_MIN = 16
_SECONDS_MAX = 86_400
_YES_NO = {"1": True, "true": True, "0": False, "false": False}


def whole(least: int, most: int) -> Callable[[str], int]:
    """Accept a whole number between two bounds, both included."""

    def parse(text: str) -> int:
        if not (_WHOLE.fullmatch(text) and least <= int(text) <= most):
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return parse


def one(text: str) -> int:
    """Accept 1, where more needs a contract that is not there."""
    if text != "1":
        raise ValueError("must be 1: several orders in one transaction need a batch contract")
    return 1


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


def ledger_id(text: str) -> str:
    """Accept what ``init`` prints."""
    if not _LEDGER_ID.fullmatch(text):
        raise ValueError("must be the id that `init` printed: 32 hex digits")
    return text


def seconds(text: str) -> float:
    """Accept a time above zero, at most a day."""
    if not (_NUMBER.fullmatch(text) and 0 < float(text) <= _SECONDS_MAX):
        raise ValueError(f"must be a number of seconds, more than 0 and at most {_SECONDS_MAX}")
    return float(text)


def milliseconds(text: str) -> int:
    """Accept seconds, return milliseconds."""
    return round(seconds(text) * 1_000)


def gwei(text: str) -> Wei:
    """Accept a price in gwei, return wei per gas."""
    if not _NUMBER.fullmatch(text):
        raise ValueError("must be a price in gwei, like 60 or 32.5")
    return gwei_to_wei(Decimal(text))


def tokens(text: str) -> Decimal:
    """Accept an amount of whole tokens; how many decimals it may have is the token's matter."""
    if not _NUMBER.fullmatch(text):
        raise ValueError("must be an amount of tokens, like 1000 or 0.5; 0 turns it off")
    return Decimal(text)


def rate(text: str) -> Decimal:
    """Accept how many tokens one unit of a currency is worth; more than 0."""
    if not (_NUMBER.fullmatch(text) and Decimal(text) > 0):
        raise ValueError("must be a number of tokens, more than 0, like 2 or 0.05")
    return Decimal(text)


def woo_statuses(text: str) -> frozenset[str]:
    """Accept one or more statuses of WooCommerce, separated by commas."""
    statuses = frozenset(status.strip() for status in text.split(",") if status.strip())
    if not statuses or not all(_WOO_STATUS.fullmatch(status) for status in statuses):
        raise ValueError("must be statuses as WooCommerce's REST interface shows them, like completed,processing")
    return statuses


def currency(text: str) -> str:
    """Accept the code of a currency."""
    if not _CURRENCY.fullmatch(text):
        raise ValueError("must be a currency code in capitals, like BRL")
    return text


def meta_key(text: str) -> str:
    """Accept the key of a custom field of an order."""
    if not _META_KEY.fullmatch(text):
        raise ValueError("must be the key of a custom field, at most 255 characters")
    return text


def fits(amount: Decimal, decimals: int) -> bool:
    """Tell whether a token with *decimals* can count *amount*."""
    try:
        token_units(amount, decimals)
    except ValueError:
        return False
    return True


def contract(text: str) -> Address:
    """Accept an address that is not the zero address."""
    address = parse_address(text)
    if address == ZERO_ADDRESS:
        raise ValueError("must not be the zero address")
    return address


def private_key(text: str) -> str:
    """Accept the 32 bytes of a private key as hex, return them as ``0x`` and lower-case digits."""
    key = text.strip()
    _refuse_reference(key)
    if not (_KEY.fullmatch(key) and 0 < int(key, 16) < CURVE_ORDER):
        raise ValueError("is not a private key: 64 hex digits, with or without 0x")
    return "0x" + key.removeprefix("0x").lower()


def webhook_secret(text: str) -> str:
    """Accept the shared secret of a shop, byte for byte as given."""
    _refuse_reference(text)
    if text != text.strip():
        raise ValueError("begins or ends with white space: signatures would never match")
    try:
        key = text.encode()
    except UnicodeEncodeError:
        raise ValueError("is not UTF-8 text") from None
    if len(key) < _SECRET_BYTES_MIN:
        raise ValueError(f"is shorter than {_SECRET_BYTES_MIN} bytes: make one with `openssl rand -hex 32`")
    if text.startswith(f"v1,{WHSEC}"):
        raise ValueError(f"begins with v1,{WHSEC}: the secret begins after the comma")
    if text.startswith(WHSEC) and len(whsec_key(text)) < _SECRET_BYTES_MIN:
        raise ValueError(f"begins with {WHSEC}, and what follows is not base64 of {_SECRET_BYTES_MIN} bytes or more")
    return text


def source(suffix: str) -> str:
    """Accept the end of a setting's name that says which shop it is for, return the shop."""
    shop = suffix.lower().replace("_", "-")
    if not _SOURCE.fullmatch(suffix) or shop == DEFAULT_SOURCE:
        raise ValueError(
            "must end in the name of a shop: 1 to 16 of A-Z, 0-9 and _, the first no _, and not DEFAULT, "
            "whose setting has no ending"
        )
    return shop


def node_urls(text: str) -> tuple[str, ...]:
    """Accept one or more node URLs, separated by commas."""
    _refuse_reference(text)
    nodes = tuple(node.strip() for node in text.split(",") if node.strip())
    parts = [urls.split(node) for node in nodes]
    if not nodes or not all(url and url.scheme in ("http", "https") for url in parts):
        raise ValueError("must be http(s) URLs of nodes, separated by commas")
    if len(set(nodes)) != len(nodes):
        raise ValueError("names a node twice: a second opinion must come from another one")
    return nodes


def redis_url(text: str) -> str:
    """Accept where a Redis is."""
    _refuse_reference(text)
    url = urls.split(text)
    if not url or url.scheme not in ("redis", "rediss"):
        raise ValueError("must be a redis:// or rediss:// URL")
    return text


def alarm_url(text: str) -> str:
    """Accept where alarms are posted: https, or this machine."""
    _refuse_reference(text)
    if not urls.is_private(urls.split(text)):
        raise ValueError("must be an https URL")
    return text


def finality_depth(text: str) -> int | None:
    """Accept ``tag`` (None) or ``depth:N`` (N)."""
    depth = _FINALITY.fullmatch(text)
    if text != "tag" and not (depth and int(depth[1]) > 0):
        raise ValueError("must be tag (the node's finalized block) or depth:N (N blocks deep, N at least 1)")
    return int(depth[1]) if depth else None


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


def _refuse_reference(text: str) -> None:
    if is_reference(text):
        raise ValueError("is a Key Vault reference that was not resolved")
