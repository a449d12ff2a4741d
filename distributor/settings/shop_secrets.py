"""
The settings that hold the shops' secrets: whose each is, and which of the shop's two.

``WEBHOOK_SECRET`` is the shop ``default``, ``WEBHOOK_SECRET__SHOP_B`` the shop ``shop-b``. The secret
before a rotation is in ``WEBHOOK_SECRET_PREVIOUS`` and ``WEBHOOK_SECRET_PREVIOUS__SHOP_B``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Literal, NamedTuple

from pydantic import SecretStr

from distributor import base64_text
from distributor.model import DEFAULT_SOURCE

WHSEC = "whsec_"
"""What a secret of Standard Webhooks begins with; its key is the base64 after it."""

Which = Literal["current", "previous"]

_SETTING: Mapping[Which, str] = {"current": "WEBHOOK_SECRET", "previous": "WEBHOOK_SECRET_PREVIOUS"}


class SecretName(NamedTuple):
    """Whose a secret is, and which of the two. Sorted: by shop, the current one before the previous."""

    source: str
    which: Which

    @property
    def setting(self) -> str:
        stem = _SETTING[self.which]
        return stem if self.source == DEFAULT_SOURCE else f"{stem}__{self.source.upper().replace('-', '_')}"


def secret_name(setting: str) -> SecretName:
    """Return whose secret a setting holds; the reverse of ``SecretName.setting``."""
    stem, _, suffix = setting.partition("__")
    which: Which = "previous" if stem == _SETTING["previous"] else "current"
    return SecretName(suffix.lower().replace("_", "-") or DEFAULT_SOURCE, which)


def whsec_key(secret: str) -> bytes:
    """Return the key behind ``whsec_``; empty where no strict base64 follows."""
    return base64_text.decoded(secret.removeprefix(WHSEC)) or b""


def named(
    current: SecretStr | None,
    previous: SecretStr | None,
    currents: Mapping[str, SecretStr],
    previouses: Mapping[str, SecretStr],
) -> Mapping[SecretName, SecretStr]:
    """Return the secrets that are set: of the shop ``default``, then those of the others by their source."""
    found = {
        SecretName(DEFAULT_SOURCE, "current"): current,
        SecretName(DEFAULT_SOURCE, "previous"): previous,
        **{SecretName(source, "current"): secret for source, secret in currents.items()},
        **{SecretName(source, "previous"): secret for source, secret in previouses.items()},
    }
    return {name: secret for name, secret in found.items() if secret is not None}


def disagreements(secrets: Mapping[SecretName, SecretStr]) -> Iterator[tuple[str, str]]:
    """Yield each setting that does not go with the others, and what is wrong; never a value."""
    if not secrets:
        yield "WEBHOOK_SECRET", "is not set, and no WEBHOOK_SECRET__<SOURCE> either: the secret a shop signs with"
    for name in secrets:
        current = SecretName(name.source, "current")
        if current not in secrets:
            yield name.setting, f"is set without {current.setting}"
    for one, other in combinations(secrets, 2):
        if one.source != other.source and secrets[one] == secrets[other]:
            yield other.setting, f"is also {one.setting}: the secret says which shop signed, so no two may share one"
