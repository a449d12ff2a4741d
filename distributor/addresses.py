"""
Addresses and the hash they are made with.

Keccak-256 comes from pycryptodome: 40 ms to import where the chain libraries cost 600.
"""

from __future__ import annotations

import re

from Crypto.Hash import keccak

from distributor.model import Address

ZERO_ADDRESS = Address("0x" + "0" * 40)

_SHAPE = re.compile(r"0x[0-9a-fA-F]{40}")
_UPPER_FROM = "8"


class WrongChecksum(ValueError):
    """An address in mixed case that its EIP-55 checksum contradicts: most likely mistyped."""


def keccak256(data: bytes) -> bytes:
    """Return the 32 bytes of Keccak-256, the hash of Ethereum (not NIST's SHA3-256)."""
    return keccak.new(digest_bits=256, data=data).digest()


def parse_address(text: str) -> Address:
    """
    Return *text* with its EIP-55 checksum.

    Digits all in one case carry no checksum and are taken as they are; mixed case must be right.

    Raises:
        ValueError: One sentence that fits after the name of a field; WrongChecksum when only the case is wrong.

    Source: https://eips.ethereum.org/EIPS/eip-55
    """
    if not _SHAPE.fullmatch(text):
        raise ValueError("is not an address: 0x and 40 hex digits")
    address = _checksummed(text[2:].lower())
    if text not in (address, address.lower(), "0x" + address[2:].upper()):
        raise WrongChecksum("has a wrong EIP-55 checksum: copy the address again, or write it all in lower case")
    return address


def _checksummed(digits: str) -> Address:
    marks = keccak256(digits.encode()).hex()
    cased = (d.upper() if mark >= _UPPER_FROM else d for d, mark in zip(digits, marks, strict=False))
    return Address("0x" + "".join(cased))
