"""
Encryption of tokens and personal columns, and the blind index that finds them without decrypting.

``MASTER_KEY`` seals, ``OLD_MASTER_KEYS`` still open. What is sealed carries its company and column inside, so that a
text copied into another row or column does not open there; and the id of its key in front, so that a key can be
retired when nothing needs it any more.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cryptography.fernet import Fernet, InvalidToken

from foundation.errors import ConfigurationError, InvariantBroken
from payflow.model import CompanyId, PaymentKey

_ID_CHARS = 8


def new_key() -> str:
    """Return a new MASTER_KEY: 32 random bytes in URL-safe base64."""
    return Fernet.generate_key().decode()


def key_id(key: str) -> str:
    """Return the public name of a key; nothing can be computed back from it."""
    return hashlib.sha256(b"payflow key id:" + key.encode()).hexdigest()[:_ID_CHARS]


@dataclass(frozen=True, slots=True)
class Sealer:
    """The keys of this installation; the first seals."""

    _keys: Mapping[str, Fernet] = field(repr=False)
    current: str

    @classmethod
    def of(cls, master_key: str, old_keys: Sequence[str] = ()) -> Sealer:
        """Return the sealer of the keys in the settings. Raises ConfigurationError if one is no key."""
        try:
            keys = {key_id(key): Fernet(key) for key in (master_key, *old_keys)}
        except ValueError:
            raise ConfigurationError(
                "MASTER_KEY and OLD_MASTER_KEYS are 32 bytes in URL-safe base64: `keys new` makes one."
            ) from None
        return cls(keys, key_id(master_key))

    @property
    def old(self) -> Sequence[str]:
        """The ids of the keys that still open, and seal nothing any more."""
        return [name for name in self._keys if name != self.current]

    def seal(self, company: CompanyId | str, column: str, text: str) -> str:
        """Return *text* sealed for one column of one company."""
        plain = json.dumps([company, column, text], ensure_ascii=False).encode()
        return f"{self.current}:{self._keys[self.current].encrypt(plain).decode()}"

    def open(self, company: CompanyId | str, column: str, sealed: str) -> str:
        """
        Return what was sealed.

        Raises:
            ConfigurationError: The key it was sealed with is not among ours.
            InvariantBroken: It was changed, or belongs to another company or column.
        """
        name, _, token = sealed.partition(":")
        if name not in self._keys:
            raise ConfigurationError(f"a row needs the key {name}, which is neither MASTER_KEY nor in OLD_MASTER_KEYS")
        try:
            found = json.loads(self._keys[name].decrypt(token.encode()))
        except InvalidToken:
            raise InvariantBroken(f"column {column} was changed by someone without the key") from None
        if found[:2] != [company, column]:
            raise InvariantBroken(f"column {column} holds what was sealed for another column or company")
        return str(found[2])

    @staticmethod
    def needs(sealed: str) -> str:
        """Return the id of the key that *sealed* needs."""
        return sealed.partition(":")[0]

    def is_current(self, sealed: str) -> bool:
        """Say whether MASTER_KEY itself sealed it."""
        return self.needs(sealed) == self.current


@dataclass(frozen=True, slots=True)
class BlindIndex:
    """Names for what must be found and not read: the same text has the same name, and only for us."""

    _key: bytes = field(repr=False)

    def of(self, text: str) -> str:
        """Return the name of *text*: 40 hex digits."""
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:40]

    def payment(self, key: PaymentKey) -> str:
        """Return the name of a payment: part of its rows' keys."""
        return self.of(f"{key.company}|{key.baixa}")

    def address(self, address: str) -> str:
        """Return the name of a mail address; capitals do not count."""
        return self.of(f"address|{address.strip().casefold()}")
