"""The settings of a console: who may sign in, what signs sessions, under which address it is reached."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import SplitResult

from pydantic import SecretStr

from foundation.console.entra import Entra
from foundation.console.sessions import Role, TokenHolder
from foundation.invisible import first_invisible
from foundation.settings import urls
from foundation.settings.groups import Problem, SettingsGroup, family, setting
from foundation.settings.values import optional, parsed, refuse_reference, yes_no

_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,31}")
_DIRECTORY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_BYTES_MIN = 32


def holder_of(suffix: str) -> str:
    """Accept the end of a setting's name that says whose token it holds, return the name."""
    if not _NAME.fullmatch(suffix):
        raise ValueError("must end in a name: 1 to 32 of A-Z, 0-9 and _, the first a letter")
    return suffix.lower()


def long_secret(text: str) -> str:
    """Accept a secret that nobody can guess."""
    refuse_reference(text)
    if text != text.strip() or first_invisible(text) is not None:
        raise ValueError("has white space at an end, or an invisible character: copy it again")
    if len(text.encode("utf-8", "surrogatepass")) < _BYTES_MIN:
        raise ValueError(f"is shorter than {_BYTES_MIN} bytes: make one with `openssl rand -hex 32`")
    return text


def names(text: str) -> frozenset[str]:
    """Accept names of people, separated by commas."""
    found = frozenset(part.strip() for part in text.split(",") if part.strip())
    if not all(_NAME.fullmatch(name.upper()) for name in found):
        raise ValueError("must be names as in CONSOLE_TOKEN__<NAME>, separated by commas, like ana,joao")
    return frozenset(name.lower() for name in found)


def directory_id(text: str) -> str:
    """Accept an id of Entra ID, in small letters as its tokens have it."""
    if not _DIRECTORY_ID.fullmatch(text.lower()):
        raise ValueError("must be an id like 00000000-0000-0000-0000-000000000000")
    return text.lower()


def origin(text: str) -> str:
    """Accept the address under which people open the console: https, or this machine; without a path."""
    parts = urls.split_url(text)
    if not (urls.is_private(parts) and parts and _is_bare(parts)):
        raise ValueError("must be an https address without a path, like https://payouts.example.com")
    return urls.origin_of(parts)


def _is_bare(parts: SplitResult) -> bool:
    """Say whether *parts* name a scheme, a host as it travels, and perhaps a port, and nothing else."""
    more = (parts.path.strip("/"), parts.query, parts.fragment)
    return not any(more) and "@" not in parts.netloc and parts.netloc.isascii()


_Secret = Annotated[SecretStr, parsed(long_secret)]
_OptionalSecret = Annotated[SecretStr | None, parsed(optional(long_secret))]
_OptionalId = Annotated[str | None, parsed(optional(directory_id))]


class ConsoleSettings(SettingsGroup):
    """Who may open the console. Without a personal token and without Entra ID there is none."""

    tokens: Mapping[str, _Secret] = family(
        "CONSOLE_TOKEN__<NAME>",
        "Personal token of one who may open the console, at least 32 bytes: `CONSOLE_TOKEN__ANA` is `ana`",
        holder_of,
        secret=True,
        alone=True,
    )
    operators: Annotated[frozenset[str], parsed(names)] = setting(
        "CONSOLE_OPERATORS", "Who of them may also act, separated by commas, like `ana`; the others look on", ""
    )
    key: _OptionalSecret = setting(
        "CONSOLE_KEY", "What signs the console's sessions, at least 32 bytes; required with a token", "", secret=True
    )
    key_previous: _OptionalSecret = setting(
        "CONSOLE_KEY_PREVIOUS", "The key before its last rotation; sessions signed with it go on", "", secret=True
    )
    url: Annotated[str | None, parsed(optional(origin))] = setting(
        "CONSOLE_URL", "Address under which people open the console, like `https://payouts.example.com`", ""
    )
    entra: Annotated[bool, parsed(yes_no)] = setting(
        "CONSOLE_ENTRA", "1: people sign in to the console with Entra ID, where the platform says that it is on", "0"
    )
    entra_tenant: _OptionalId = setting(
        "CONSOLE_ENTRA_TENANT", "Directory (tenant) id they must belong to; required with `CONSOLE_ENTRA`", ""
    )
    entra_client: _OptionalId = setting(
        "CONSOLE_ENTRA_CLIENT", "Application (client) id they must have signed in to; required with `CONSOLE_ENTRA`", ""
    )

    @classmethod
    def disagreements(cls, values: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield what a console that is on lacks."""
        entra = (("entra_tenant", "CONSOLE_ENTRA_TENANT"), ("entra_client", "CONSOLE_ENTRA_CLIENT"))
        both = (("key", "CONSOLE_KEY"), ("url", "CONSOLE_URL"))
        asks = "CONSOLE_ENTRA" if values.get("entra") else "CONSOLE_TOKEN__<NAME>" if values.get("tokens") else ""
        for field, name in ((*both, *entra) if values.get("entra") else both) if asks else ():
            if field in values and values[field] is None:
                yield Problem(name, f"must be set with {asks}")

    @classmethod
    def doubts(cls, values: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield each person who shares a token: the audit trail could not say who acted, so neither may sign in."""
        for name in sorted(_sharing(values["tokens"])):
            yield Problem(f"CONSOLE_TOKEN__{name.upper()}", "is another person's token too: each needs their own")

    @property
    def people(self) -> Mapping[str, TokenHolder]:
        """Everybody who may sign in."""
        shared = _sharing(self.tokens)
        return {
            name: TokenHolder(name=name, role=self._role(name), token=token.get_secret_value())
            for name, token in self.tokens.items()
            if name not in shared
        }

    @property
    def keys(self) -> list[str]:
        """What signs sessions and forms, the newest first."""
        return [key.get_secret_value() for key in (self.key, self.key_previous) if key is not None]

    @property
    def entra_id(self) -> Entra | None:
        """Whose word about people is taken; None: nobody's."""
        if not (self.entra and self.entra_tenant and self.entra_client):
            return None
        return Entra(tenant=self.entra_tenant, client=self.entra_client)

    def _role(self, name: str) -> Role:
        return Role.OPERATOR if name in self.operators else Role.VIEWER


def _sharing(tokens: Mapping[str, SecretStr]) -> set[str]:
    held = [token.get_secret_value() for token in tokens.values()]
    return {name for name, token in tokens.items() if held.count(token.get_secret_value()) > 1}
