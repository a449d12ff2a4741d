"""
What each kind of setting accepts: text in, value out, or one sentence that fits after its name.

No sentence repeats the text: it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from urllib.parse import urlsplit

from distributor.addresses import ZERO_ADDRESS, parse_address
from distributor.model import DEFAULT_SOURCE, Address
from distributor.settings.shop_secrets import WHSEC, whsec_key
from distributor.units import Wei, gwei_to_wei, token_units
from foundation.invisible import first_invisible
from foundation.settings import urls
from foundation.settings import values as kinds
from foundation.settings.values import refuse_reference

CURVE_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""Of secp256k1: a private key is a number above zero and below it. Source: SEC 2, section 2.4.1."""
_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}")
_NUMBER = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")
_LEDGER_ID = re.compile(r"[0-9a-f]{32}")
_FINALITY = re.compile(r"depth:([0-9]{1,6})")
# What WooCommerce's REST interface shows: statuses without the wc- they are stored with.
_WOO_STATUS = re.compile(r"(?!wc-)[a-z0-9][a-z0-9_-]{0,19}")
_CURRENCY = re.compile(r"[A-Z][A-Z0-9]{2,9}")
_META_KEY = re.compile(r"[^\x00-\x1f\x7f]{1,255}")
_SOURCE = re.compile(r"[A-Z0-9][A-Z0-9_]{0,15}")
_SECRET_BYTES_MIN = 16
_QUOTES = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u2018": "\u2019", "\u00ab": "\u00bb", "\u201e": "\u201c"}
"""What a shell, a configuration file or a word processor wraps a text in."""


def ledger_id(text: str) -> str:
    """Accept what ``init`` prints."""
    if not _LEDGER_ID.fullmatch(text):
        raise ValueError("must be the id that `init` printed: 32 hex digits")
    return text


def gwei(text: str) -> Wei:
    """Accept a price in gwei, return wei per gas."""
    if not _NUMBER.fullmatch(text):
        raise ValueError("must be a price in gwei, like 60 or 32.5")
    return gwei_to_wei(Decimal(text))


def token_amount(text: str) -> Decimal:
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
    refuse_reference(key)
    if not (_KEY.fullmatch(key) and 0 < int(key, 16) < CURVE_ORDER):
        raise ValueError("is not a private key: 64 hex digits, with or without 0x")
    return "0x" + key.removeprefix("0x").lower()


def webhook_secret(text: str) -> str:
    """Accept the shared secret of a shop, byte for byte as given."""
    refuse_reference(text)
    if text != text.strip():
        raise ValueError("begins or ends with white space: signatures would never match")
    _refuse_pasted(text)
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


def _refuse_pasted(text: str) -> None:
    """Raise ValueError for what came along when the secret was copied: a pair of quotes, an invisible character."""
    hidden = first_invisible(text)
    if hidden is not None:
        raise ValueError(f"contains the invisible character {hidden}: copy the secret again without it")
    if text[:1] in _QUOTES and text[-1:] == _QUOTES[text[:1]]:
        raise ValueError("is wrapped in quotes: they would be part of the secret, so write it without them")


def proxies(text: str) -> int | None:
    """Accept how many proxies of the operator's own there are; ``none`` (None): no front end names the client."""
    return None if text.lower() == "none" else kinds.whole(0, 9)(text)


def shop_suffix(suffix: str) -> str:
    """Accept the end of a setting's name that says which shop it is for, return the shop."""
    shop = suffix.lower().replace("_", "-")
    if not _SOURCE.fullmatch(suffix) or shop == DEFAULT_SOURCE:
        raise ValueError(
            "must end in the name of a shop: 1 to 16 of A-Z, 0-9 and _, the first no _, and not DEFAULT, "
            "whose setting has no ending"
        )
    return shop


def lane_name(suffix: str) -> str:
    """Accept the end of a setting's name that says which lane it is for, return the lane."""
    if not _SOURCE.fullmatch(suffix):
        raise ValueError("must end in the name of a lane: 1 to 16 of A-Z, 0-9 and _, the first no _")
    return suffix.lower().replace("_", "-")


ASKED, ANNOUNCING = ("http", "https"), ("ws", "wss")
"""How an address of a node begins: one that is asked, and one that only announces new blocks."""


def node_urls(text: str) -> tuple[str, ...]:
    """Accept URLs of nodes, separated by commas; one at least is asked, others may only announce blocks."""
    refuse_reference(text)
    nodes = tuple(node.strip() for node in text.split(",") if node.strip())
    schemes = [url.scheme if (url := urls.split_url(node)) else "" for node in nodes]
    if not nodes or not set(schemes) <= {*ASKED, *ANNOUNCING}:
        raise ValueError("must be http(s) URLs of nodes, separated by commas, and ws(s) URLs beside them")
    if set(schemes).isdisjoint(ASKED):
        raise ValueError("names no http(s) URL: a ws(s) URL only announces new blocks, and no node can be asked")
    if len(set(nodes)) != len(nodes):
        raise ValueError("names a node twice: a second opinion must come from another one")
    return nodes


def of_schemes(nodes: Iterable[str], schemes: Sequence[str]) -> tuple[str, ...]:
    """Return those of *nodes*, URLs all, that begin with one of *schemes*."""
    return tuple(node for node in nodes if urlsplit(node).scheme in schemes)


def redis_url(text: str) -> str:
    """Accept where a Redis is."""
    refuse_reference(text)
    url = urls.split_url(text)
    if not url or url.scheme not in ("redis", "rediss"):
        raise ValueError("must be a redis:// or rediss:// URL")
    return text


def finality_depth(text: str) -> int | None:
    """Accept ``tag`` (None) or ``depth:N`` (N)."""
    depth = _FINALITY.fullmatch(text)
    if text != "tag" and not (depth and int(depth[1]) > 0):
        raise ValueError("must be tag (the node's finalized block) or depth:N (N blocks deep, N at least 1)")
    return int(depth[1]) if depth else None
