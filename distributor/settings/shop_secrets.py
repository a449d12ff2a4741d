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


def is_secret(setting: str) -> bool:
    """Say whether a setting of this name holds a shop's secret."""
    return setting.partition("__")[0] in _SETTING.values()


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


def usable(secrets: Mapping[SecretName, SecretStr]) -> Mapping[SecretName, SecretStr]:
    """
    Return the secrets that say for certain which shop signed.

    A shop is closed, with both of its secrets, when its current one is missing or unusable: after a typing error the
    old secret must not be the only one. Two shops that share a secret are both closed: nobody knows who signed.
    """
    doubted = {name.source for pair in _sharing(secrets) for name in pair}
    return {
        name: secret
        for name, secret in secrets.items()
        if SecretName(name.source, "current") in secrets and name.source not in doubted
    }


def doubts(secrets: Mapping[SecretName, SecretStr]) -> Iterator[tuple[str, str]]:
    """Yield each setting whose shop is closed because it does not go with the others, and why; never a value."""
    for name in secrets:
        current = SecretName(name.source, "current")
        if current not in secrets:
            yield name.setting, f"is set without a usable {current.setting}"
    for one, other in _sharing(secrets):
        yield other.setting, f"is also {one.setting}: the secret says which shop signed, so no two may share one"


def _sharing(secrets: Mapping[SecretName, SecretStr]) -> Iterator[tuple[SecretName, SecretName]]:
    """Yield each pair of settings of two shops that hold one secret."""
    holders: dict[str, list[SecretName]] = {}
    for name, secret in secrets.items():
        holders.setdefault(secret.get_secret_value(), []).append(name)
    for names in holders.values():
        yield from ((one, other) for one, other in combinations(names, 2) if one.source != other.source)
