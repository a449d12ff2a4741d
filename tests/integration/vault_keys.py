"""The keys of the vault stand-in: real secp256k1 keys that sign inside it, as ``ES256K`` does."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace

from aiohttp import web
from eth_keys.datatypes import PrivateKey, Signature

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_BYTES = 32


@dataclass(frozen=True)
class Key:
    """One version of a key: what it may do, and how it answers."""

    private: PrivateKey
    version: str = "v1"
    curve: str = "P-256K"
    operations: tuple[str, ...] = ("sign", "verify")
    enabled: bool = True
    high_s: bool = False
    """Return the upper of the two right values of s, as a vault may."""
    garbled: bytes | None = None
    """Return this instead of a signature."""


@dataclass
class Keys:
    """What keys the vault holds, and what was asked of them."""

    known: dict[str, list[Key]] = field(default_factory=dict)
    """Versions of each key, the newest last."""
    signed: list[bytes] = field(default_factory=list)
    """Digests that were signed."""
    asked: list[str] = field(default_factory=list)
    """Operations asked for, refused ones among them."""
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Status and error code for an operation, ``get`` or ``sign``."""

    def hold(self, name: str, private_key_hex: str) -> None:
        """Keep a key under *name*."""
        self.known.setdefault(name, []).append(Key(PrivateKey(bytes.fromhex(private_key_hex.removeprefix("0x")))))

    def change(self, name: str, **changes: object) -> None:
        """Let the newest version of a key be or answer otherwise."""
        self.known[name][-1] = replace(self.known[name][-1], **changes)  # type: ignore[arg-type]  # the test's own

    def find(self, request: web.Request) -> Key | None:
        """Return the key that a request names; without a version the newest."""
        versions = self.known.get(request.match_info["name"], [])
        version = request.match_info.get("version", "")
        named = [key for key in versions if not version or key.version == version]
        return named[-1] if named else None

    def show(self, url: str, name: str, key: Key) -> dict[str, object]:
        """Return the document of a key: its public half."""
        x, y = (key.private.public_key.to_bytes()[at : at + _BYTES] for at in (0, _BYTES))
        return {
            "key": {
                "kid": f"{url}/keys/{name}/{key.version}",
                "kty": "EC",
                "crv": key.curve,
                "x": _encode(x),
                "y": _encode(y),
                "key_ops": list(key.operations),
            },
            "attributes": {"enabled": key.enabled},
        }

    def sign(self, key: Key, document: dict[str, str]) -> bytes:
        """Return r and s over the digest, as deterministic as RFC 6979 makes them."""
        if document["alg"] != "ES256K":
            raise ValueError(document["alg"])
        digest = _decode(document["value"])
        self.signed.append(digest)
        if key.garbled is not None:
            return key.garbled
        signature: Signature = key.private.sign_msg_hash(digest)
        s = CURVE_ORDER - signature.s if key.high_s else signature.s
        return bytes(signature.r.to_bytes(_BYTES, "big") + s.to_bytes(_BYTES, "big"))


def signature_document(url: str, name: str, key: Key, signature: bytes) -> dict[str, str]:
    """Return the vault's answer to ``sign``."""
    return {"kid": f"{url}/keys/{name}/{key.version}", "value": _encode(signature)}


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
