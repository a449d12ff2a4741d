"""
The shops' secrets at this moment: a rotation needs no restart, and what a vault withdraws ends.

A task reads the secrets that a vault holds again and again; requests never wait for it and never
start it, so a withdrawn secret ends also where no request has come for hours. Of each shop the
current secret is read before the previous one. Whoever rotates stores the old one as previous first
and the new one as current second; so whichever step falls between the two readings, the old one is
known under one of its names.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from contextvars import Context

from distributor import logs
from distributor import setting_values as accept
from distributor.errors import ConfigurationError, SecretWithdrawn
from distributor.ports import Sleep
from distributor.shop_secrets import SecretName
from distributor.signature import Key

_log = logging.getLogger(__name__)


class Keyring:
    """
    Hold the secrets, and renew those that a vault holds.

    Args:
        secrets: Every secret that is known now.
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
    ) -> None:
        self._secrets = dict(secrets)
        self._renewed = sorted(renewed)
        self._read, self._refresh_s, self._sleep = read, refresh_s, sleep
        self._keys = self._made()
        self._task: asyncio.Task[None] | None = None

    def keys(self) -> Sequence[Key]:
        """Return the secrets that count now, at once. Raises ConfigurationError when the vault has withdrawn all."""
        if not self._keys:
            raise ConfigurationError("WEBHOOK_SECRET was withdrawn from its vault, and no other shop has a secret")
        return self._keys

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
        for name in self._renewed:
            await self._renew(name)

    async def _renew_forever(self) -> None:
        while True:
            await self._sleep(self._refresh_s)
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001 -- nothing a library raises may end the only task that ends secrets
                logs.error(_log, "secrets_not_refreshed", cause=type(error).__name__, detail=str(error))

    async def _renew(self, name: SecretName) -> None:
        try:
            text = await self._read(name.setting)
            secret = None if text is None else accept.webhook_secret(text)
        except SecretWithdrawn:
            secret = None
        except ConfigurationError as error:
            logs.warning(_log, "secret_kept", setting=name.setting, why=str(error))
            return
        except ValueError as error:
            logs.error(_log, "secret_kept", setting=name.setting, why=f"{name.setting} {error}")
            return
        self._put(name, secret)

    def _put(self, name: SecretName, secret: str | None) -> None:
        """Take *secret* into use, or its predecessor out of it; says so only when something changes."""
        if secret == self._secrets.get(name):
            return
        sharing = [other for other in self._secrets if other.source != name.source and self._secrets[other] == secret]
        if sharing:
            logs.error(_log, "secret_kept", setting=name.setting, why=f"its new value is also {sharing[0].setting}")
            return
        if secret is None:
            del self._secrets[name]
            logs.warning(_log, "secret_withdrawn", setting=name.setting)
        else:
            self._secrets[name] = secret
            logs.info(_log, "secret_renewed", setting=name.setting)
        self._keys = self._made()

    def _made(self) -> Sequence[Key]:
        return [
            Key(source=name.source, which=name.which, secret=secret) for name, secret in sorted(self._secrets.items())
        ]
