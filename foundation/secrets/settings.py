"""Settings with their secrets in place: read from the environment, and from a vault where it refers to one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from foundation.errors import ConfigurationError
from foundation.secrets.ports import Secrets
from foundation.settings import reading
from foundation.settings.groups import Problem, SettingsGroup
from foundation.settings.references import is_reference
from foundation.settings.storage import Storage, storage

G = TypeVar("G", bound=SettingsGroup)


@dataclass(frozen=True, slots=True)
class ResolvedSettings:
    """The settings of a process, read anew at each call: what was wrong and is right now is read right."""

    environ: Mapping[str, str]
    secrets: Secrets

    async def read(self, group: type[G]) -> G:
        """Return the settings of *group*, secrets resolved. Raises ConfigurationError with all that is wrong."""
        return reading.read_group(group, *await self._resolved(group))

    async def wrong(self, each: Iterable[type[SettingsGroup]]) -> Sequence[str]:
        """Return the names of the settings of these groups that are missing or wrong, secrets among them."""
        return sorted({problem.setting for group in each for problem in await self.problems(group)})

    async def problems(self, group: type[SettingsGroup]) -> Sequence[Problem]:
        """Return what is missing or wrong in *group*, also what it is read without."""
        return reading.problems(group, *await self._resolved(group))

    async def account(self, name: str) -> Storage:
        """Return the storage account that the setting *name* holds. Raises ConfigurationError if it holds none."""
        environ, unresolved = await self._with([name] if self._refers(name) else [])
        if name in unresolved:
            raise ConfigurationError(f"{name} {unresolved[name]}")
        return storage(environ, name)

    async def _resolved(self, group: type[SettingsGroup]) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return the settings with the secrets of *group* in place, and why the others could not be resolved."""
        accounts = [name for name in reading.accounts_of(group, self.environ) if self._refers(name)]
        return await self._with([*reading.secrets_of(group, self.environ), *accounts])

    async def _with(self, names: Iterable[str]) -> tuple[Mapping[str, str], Mapping[str, str]]:
        environ, unresolved = dict(self.environ), dict[str, str]()
        for name in names:
            try:
                environ[name] = await self.secrets.get(name) or ""
            except ConfigurationError as error:
                unresolved[name] = str(error).removeprefix(f"{name} ")
        return environ, unresolved

    def _refers(self, name: str) -> bool:
        """Say whether a storage account's setting is a reference; elsewhere no vault is asked for it."""
        return is_reference(self.environ.get(name, "").strip())
