"""The settings of a console: who may sign in, what signs sessions, under which address it is reached."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import SplitResult

from pydantic import SecretStr

from foundation.console.sessions import Person, Role
from foundation.invisible import first_invisible
from foundation.settings import urls
from foundation.settings.groups import Problem, SettingsGroup, family, setting
from foundation.settings.values import optional, parsed, refuse_reference

_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,31}")
_BYTES_MIN = 32


def person(suffix: str) -> str:
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


class ConsoleSettings(SettingsGroup):
    """Who may open the console. Without a personal token there is none."""

    tokens: Mapping[str, _Secret] = family(
        "CONSOLE_TOKEN__<NAME>",
        "Personal token of one who may open the console, at least 32 bytes: `CONSOLE_TOKEN__ANA` is `ana`",
        person,
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

    @classmethod
    def disagreements(cls, values: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield what a console that is on lacks."""
        if not values.get("tokens"):
            return
        for field, name in (("key", "CONSOLE_KEY"), ("url", "CONSOLE_URL")):
            if field in values and values[field] is None:
                yield Problem(name, "must be set with CONSOLE_TOKEN__<NAME>")

    @classmethod
    def doubts(cls, values: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield each person who shares a token: the audit trail could not say who acted, so neither may sign in."""
        for name in sorted(_sharing(values["tokens"])):
            yield Problem(f"CONSOLE_TOKEN__{name.upper()}", "is another person's token too: each needs their own")

    @property
    def people(self) -> Mapping[str, Person]:
        """Everybody who may sign in."""
        shared = _sharing(self.tokens)
        return {
            name: Person(name=name, role=self._role(name), token=token.get_secret_value())
            for name, token in self.tokens.items()
            if name not in shared
        }

    @property
    def keys(self) -> list[str]:
        """What signs sessions and forms, the newest first."""
        return [key.get_secret_value() for key in (self.key, self.key_previous) if key is not None]

    def _role(self, name: str) -> Role:
        return Role.OPERATOR if name in self.operators else Role.VIEWER


def _sharing(tokens: Mapping[str, SecretStr]) -> set[str]:
    held = [token.get_secret_value() for token in tokens.values()]
    return {name for name, token in tokens.items() if held.count(token.get_secret_value()) > 1}
