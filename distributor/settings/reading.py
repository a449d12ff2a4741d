"""
Settings, checked for one use case at a time, at its first use.

Only what a use case needs is looked at: a broken RPC_URL does not refuse orders at the webhook.
A setting outside the use case is absent from the model, so reading it is an AttributeError, never
a default. All that is wrong is named at once, and never with the value of a setting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple, get_args

from pydantic import TypeAdapter, ValidationError

from distributor.settings import values as accept
from distributor.settings.model import Settings, Use
from distributor.settings.rules import disagreeing
from foundation.errors import ConfigurationError
from foundation.settings.storage import storage

_MEMBER = "<SOURCE>"


def load(environ: Mapping[str, str], use: Use, unresolved: Mapping[str, str] = MappingProxyType({})) -> Settings:
    """
    Return the settings that *use* needs.

    Args:
        environ: Names and texts; blank is the same as not set. Secrets are resolved already.
        use: The use case that will read them.
        unresolved: Settings whose secret could not be resolved, and why, to be named with the rest.

    Raises:
        ConfigurationError: One sentence for each setting that is missing or wrong.
    """
    values, found = _check(environ, use, unresolved)
    if found:
        raise ConfigurationError("; ".join(str(problem) for problem in found))
    return Settings.model_construct(**values)


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What is to know about a setting; for the README's table, the checks and the vault."""

    name: str
    field: str
    meaning: str
    default: str | None
    """None: required. Empty: may stay unset."""
    secret: bool
    """Never shown; may be a Key Vault reference, or be found in the vault by its name."""
    used_by: frozenset[Use]

    @property
    def family(self) -> str:
        """What the names of the members begin with; empty for a single setting."""
        return self.name.removesuffix(_MEMBER) if self.name.endswith(_MEMBER) else ""


class Problem(NamedTuple):
    """A setting, and what is wrong with it."""

    setting: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.setting} {self.sentence}"


@cache
def about() -> Mapping[str, About]:
    """Return what is to know about every setting, by its name, in the order of the model."""
    return {str(field.alias): _about(name, field) for name, field in Settings.model_fields.items()}


def problems(environ: Mapping[str, str], use: Use, unresolved: Mapping[str, str]) -> Sequence[Problem]:
    """Return what is missing or wrong for *use*; nothing when ``load`` would answer."""
    return _check(environ, use, unresolved)[1]


def secrets_of(use: Use, environ: Mapping[str, str]) -> Sequence[str]:
    """
    Return the names of the secrets that *use* needs or may use.

    A shop is known by a setting of its own in *environ*, even an empty one: a vault is not listed. Then
    each family has a member for it, to be looked for in the vault.
    """
    ours = [one for one in about().values() if one.secret and use in one.used_by]
    shops = sorted({shop for one in ours if one.family for shop in _shops(one, environ)})
    return [name for one in ours for name in ([one.family + shop for shop in shops] if one.family else [one.name])]


def _shops(one: About, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the ends of the members' names that can be a shop's; ``_check`` names the others."""
    for suffix in (name.removeprefix(one.family) for name in environ if name.startswith(one.family)):
        with suppress(ValueError):
            accept.source(suffix)
            yield suffix


def _about(name: str, field: Any) -> About:
    extra = field.json_schema_extra
    return About(
        name=field.alias,
        field=name,
        meaning=field.description,
        default=extra["default"],
        secret=extra["secret"],
        used_by=frozenset(Use(use) for use in extra["used_by"]),
    )


def _check(
    environ: Mapping[str, str], use: Use, unresolved: Mapping[str, str]
) -> tuple[dict[str, Any], Sequence[Problem]]:
    """Return the values of the settings that are right, by field, and the problems of the others."""
    values: dict[str, Any] = {}
    found: list[Problem] = []
    for one in about().values():
        if use in one.used_by:
            value, wrong = (_members if one.family else _single)(one, environ, unresolved)
            values |= {} if wrong else {one.field: value}
            found += wrong
    found += [Problem(*broken) for broken in disagreeing(values)]
    return values, [*found, *_storage_problems(environ, values, unresolved)]


def _single(one: About, environ: Mapping[str, str], unresolved: Mapping[str, str]) -> tuple[Any, Sequence[Problem]]:
    try:
        return _value(one, environ, unresolved), []
    except ValueError as error:
        return None, [Problem(one.name, _sentence(error))]


def _members(
    one: About, environ: Mapping[str, str], unresolved: Mapping[str, str]
) -> tuple[Mapping[str, Any], Sequence[Problem]]:
    """Return the members of a family that are set, by their source."""
    values: dict[str, Any] = {}
    found: list[Problem] = []
    for name in sorted({name for name in (*environ, *unresolved) if name.startswith(one.family)}):
        try:
            source = accept.source(name.removeprefix(one.family))
            if name in unresolved:
                raise ValueError(unresolved[name])  # noqa: TRY301 -- told with what else is wrong with a member
            if environ[name].strip():
                values[source] = _member_adapter(one.field).validate_python(environ[name])
        except ValueError as error:
            found.append(Problem(name, _sentence(error)))
    return values, found


def _value(one: About, environ: Mapping[str, str], unresolved: Mapping[str, str]) -> Any:
    if one.name in unresolved:
        raise ValueError(unresolved[one.name])
    text = environ.get(one.name, "")
    if text.strip():
        return _adapter(one.field).validate_python(text if one.secret else text.strip())
    if one.default is None:
        raise ValueError(f"is not set: {one.meaning}")
    return _adapter(one.field).validate_python(one.default)


@cache
def _adapter(field: str) -> TypeAdapter[Any]:
    info = Settings.model_fields[field]
    kind: Any = Annotated[info.annotation, *info.metadata]
    return TypeAdapter(kind)


@cache
def _member_adapter(field: str) -> TypeAdapter[Any]:
    return TypeAdapter(get_args(Settings.model_fields[field].annotation)[1])


def _sentence(error: ValueError) -> str:
    """Return the sentence our own check raised; pydantic's text around it repeats the value."""
    return str(error.errors()[0]["ctx"]["error"]) if isinstance(error, ValidationError) else str(error)


def _storage_problems(
    environ: Mapping[str, str], values: Mapping[str, Any], unresolved: Mapping[str, str]
) -> Iterator[Problem]:
    """Yield what is wrong with the setting that LEDGER_CONNECTION names; nothing while that is wrong itself."""
    name = str(values.get("ledger_connection", ""))
    if name in unresolved:
        yield Problem(name, unresolved[name])
    elif name:
        try:
            storage(environ, name)
        except ConfigurationError as error:
            yield Problem(*str(error).split(" ", 1))
