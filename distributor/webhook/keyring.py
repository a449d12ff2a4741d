"""
The shops' secrets at this moment: a rotation needs no restart, and what a vault withdraws ends.

A task reads the secrets that a vault holds again and again; requests never wait for it and never
start it, so a withdrawn secret ends also where no request has come for hours. Of each shop the
current secret is read before the previous one. An operator who rotates stores the old one as previous first
and the new one as current second; so whichever step falls between the two readings, one of them
finds the old one, and both are taken in one step.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from contextvars import Context
from enum import Enum
from itertools import groupby
from operator import attrgetter

from distributor.settings import values as accept
from distributor.settings.shop_secrets import SecretName
from distributor.webhook.signature import Key
from foundation import logs
from foundation.clock import Sleep
from foundation.errors import ConfigurationError, SecretWithdrawn

_log = logging.getLogger(__name__)


class _Answer(Enum):
    KEPT = "the vault gave no usable answer"


class Keyring:
    """
    Hold the secrets, and renew those that a vault holds.

    Args:
        secrets: Every secret that is known now.
        unusable: Secrets that are set and cannot be used; each closes its shop until a vault gives a usable one.
        renewed: The secrets a vault is asked for, also those it has nothing for yet.
        read: Reads a setting from its vault, past anything kept: None where the vault has
            none. Raises SecretWithdrawn, or ConfigurationError when nothing is known.
        refresh_s: Time between two readings.
        sleep: Waits.
    """

    def __init__(
        self,
        secrets: Mapping[SecretName, str],
        *,
        renewed: Iterable[SecretName],
        read: Callable[[str], Awaitable[str | None]],
        refresh_s: float,
        sleep: Sleep,
        unusable: Iterable[SecretName] = (),
    ) -> None:
        self._secrets = dict(secrets)
        self._unusable = frozenset(unusable)
        self._renewed = sorted(renewed)
        self._read, self._refresh_s, self._sleep = read, refresh_s, sleep
        self._keys = self._made()
        self._task: asyncio.Task[None] | None = None

    def keys(self) -> Sequence[Key]:
        """Return the secrets that count now, at once. Raises ConfigurationError when the vault has withdrawn all."""
        if not self._keys:
            raise ConfigurationError("WEBHOOK_SECRET was withdrawn from its vault, and no other shop has a secret")
        return self._keys

    def closes_a_shop(self) -> bool:
        """Say whether a shop has a secret that cannot be used, so that what it signs looks like a forgery."""
        return any(name not in self._secrets for name in self._unusable)

    def secrets(self) -> Mapping[SecretName, str]:
        """Return every secret that counts now, under its name; a copy."""
        return dict(self._secrets)

    def start(self) -> None:
        """Begin to renew, where a vault holds anything; the lines logged belong to no request."""
        if self._renewed and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._renew_forever(), context=Context())

    async def aclose(self) -> None:
        """Stop renewing."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def refresh(self) -> None:
        """
        Read every secret that a vault holds.

        What the vault does not tell, or tells as something that is no secret, changes nothing: the
        last good one goes on. What it has withdrawn (deleted, disabled) no longer counts.
        """
        for _, names in groupby(self._renewed, key=attrgetter("source")):
            await self._renew(list(names))

    async def _renew_forever(self) -> None:
        """Renew at once, since what the settings were made of may have been kept for minutes, and then by the clock."""
        while True:
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001 -- nothing a library raises may end the only task that ends secrets
                logs.error(_log, "secrets_not_refreshed", cause=type(error).__name__, detail=str(error))
            await self._sleep(self._refresh_s)

    async def _renew(self, names: Sequence[SecretName]) -> None:
        """
        Take what the vault tells of one shop, both secrets in one step and after the last reading.

        Taken one by one, the old secret would be unknown from the reading of the new one to the next
        reading. So while the vault does not tell both, only what it has withdrawn is taken.
        """
        answers = {name: await self._ask(name) for name in names}
        whole = _Answer.KEPT not in answers.values()
        for name, secret in answers.items():
            if secret is None or (whole and not isinstance(secret, _Answer)):
                self._put(name, secret)
        self._keys = self._made()

    async def _ask(self, name: SecretName) -> str | _Answer | None:
        """Return what the vault tells: a secret that is one, None where it has none, or that the last one is kept."""
        try:
            text = await self._read(name.setting)
            return None if text is None else self._unshared(name, accept.webhook_secret(text))
        except SecretWithdrawn:
            return None
        except ConfigurationError as error:
            logs.warning(_log, "secret_kept", setting=name.setting, why=str(error))
        except ValueError as error:
            logs.error(_log, "secret_kept", setting=name.setting, why=f"{name.setting} {error}")
        return _Answer.KEPT

    def _unshared(self, name: SecretName, secret: str) -> str:
        sharing = [other for other in self._secrets if other.source != name.source and self._secrets[other] == secret]
        if sharing:
            raise ValueError(f"is also {sharing[0].setting}")
        return secret

    def _put(self, name: SecretName, secret: str | None) -> None:
        """Take *secret* into use, or its predecessor out of it; says so only when something changes."""
        if secret == self._secrets.get(name):
            return
        if secret is None:
            del self._secrets[name]
            logs.warning(_log, "secret_withdrawn", setting=name.setting)
        else:
            self._secrets[name] = secret
            logs.info(_log, "secret_renewed", setting=name.setting)

    def _made(self) -> Sequence[Key]:
        return [
            Key(source=name.source, which=name.which, secret=secret) for name, secret in sorted(self._secrets.items())
        ]
