"""Is it an address that mail can be sent to? Syntax only: whether it lives, the server says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LOCAL_MAX, _ADDRESS_MAX = 64, 254
_PLACEHOLDERS = frozenset(
    {"naotem", "naopossui", "sememail", "semail", "noemail", "noreply", "naoresponda", "teste", "test", "xx", "xxx"}
)
"""Without ``.``, ``-`` and ``_``."""
_NOWHERE = frozenset({"teste.com", "teste.com.br", "naotem.com", "naotem.com.br"})
_SEPARATORS = re.compile(r"[,;\s]+")


def normalized(text: str) -> str:
    """
    Return the address that *text* is, its domain in lower case ASCII; empty if it is not one.

    No quoted names, no literal hosts, no signs that need SMTPUTF8: none of them occurs in a mailbox that receives
    receipts, and each of them has carried an injection.
    """
    name, found, domain = text.strip().strip("<>").rpartition("@")
    host = _ascii(domain.strip().rstrip("."))
    fits = len(name) <= _LOCAL_MAX and len(name) + len(host) < _ADDRESS_MAX
    return f"{name}@{host}" if found and host and fits and _LOCAL.fullmatch(name) else ""


def is_placeholder(address: str) -> bool:
    """Tell whether an office types *address* where there is none: ``naotem@…``, ``teste@teste.com``."""
    name, _, domain = address.casefold().partition("@")
    return domain in _NOWHERE or re.sub(r"[._-]", "", name) in _PLACEHOLDERS


def mailable(texts: Iterable[str]) -> Sequence[str]:
    """Return the addresses in *texts* that may be mailed, one of each mailbox, in order; a text may hold several."""
    found = (normalized(part) for text in texts for part in _SEPARATORS.split(text) if part)
    boxes: dict[str, str] = {}
    for address in found:
        if address and not is_placeholder(address):
            boxes.setdefault(address.casefold(), address)  # as the blind index has it: capitals do not count
    return tuple(boxes.values())


@lru_cache(maxsize=1024)
def _ascii(domain: str) -> str:
    try:
        host = domain.casefold().encode("idna").decode("ascii")
    except UnicodeError:
        return ""
    labels = host.split(".")
    fine = len(labels) > 1 and all(_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdecimal()
    return host if fine else ""
