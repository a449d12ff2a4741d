"""
Settings in groups: each a small frozen model, built alone, at its first use.

A group is a declaration: the setting's name, its meaning, its default, whether it is a secret. It is
the one source for what is read, for the README's table, for the example of local settings, for
``/ready`` and for the commands that look at a configuration. All that is wrong with a group is named
at once, and never with a value: a value may be a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from foundation.errors import ConfigurationError, require

G = TypeVar("G", bound="SettingsGroup")

_NOTHING: Mapping[str, str] = MappingProxyType({})
_INFO = "setting"


class Rule(NamedTuple):
    """What settings of a group must agree on; asked only when each is right by itself."""

    holds: Callable[..., bool]
    fields: Sequence[str]
    setting: str
    sentence: str

    def is_broken(self, values: Mapping[str, Any]) -> bool:
        """Say whether these values disagree; never while one of them is unknown."""
        known = values.keys() >= set(self.fields)
        return known and not self.holds(*(values[field] for field in self.fields))


class SettingsGroup(BaseModel):
    """Settings that are needed together. A field is a ``setting``, or another group."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, defer_build=True, hide_input_in_errors=True
    )
    rules: ClassVar[Sequence[Rule]] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What there is to know about a setting."""

    name: str
    field: str
    meaning: str
    default: str | None
    """None: required. Empty: may stay unset."""
    secret: bool
    """Never shown; may be a Key Vault reference, or be found in the vault by its name."""
    aliases: tuple[str, ...]
    """Older spellings that are still read."""


class Problem(NamedTuple):
    """A setting, and what is wrong with it."""

    setting: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.setting} {self.sentence}"


def setting(
    name: str, meaning: str, default: str | None = None, *, secret: bool = False, aliases: Sequence[str] = ()
) -> Any:
    """Describe a setting; without *default* it is required, with an empty one it may stay unset."""
    about: Any = {_INFO: {"default": default, "secret": secret, "aliases": list(aliases)}}
    return Field(alias=name, description=meaning, repr=not secret, json_schema_extra=about)


def read(group: type[G], environ: Mapping[str, str], unresolved: Mapping[str, str] = _NOTHING) -> G:
    """
    Return the settings of *group*.

    Args:
        group: What is needed.
        environ: Names and texts; blank is the same as not set. Secrets are resolved already.
        unresolved: Settings whose secret could not be resolved, and why, to be named with the rest.

    Raises:
        ConfigurationError: One sentence for each setting that is missing or wrong.
    """
    checked = _check(group, environ, unresolved)
    if checked.problems:
        raise ConfigurationError("; ".join(map(str, checked.problems)))
    return group.model_validate(checked.texts)


def problems(
    group: type[SettingsGroup], environ: Mapping[str, str], unresolved: Mapping[str, str] = _NOTHING
) -> Sequence[Problem]:
    """Return what is missing or wrong in *group*; nothing when ``read`` would answer."""
    return _check(group, environ, unresolved).problems


def settings_of(groups: Iterable[type[SettingsGroup]]) -> Mapping[str, Setting]:
    """Return every setting of *groups* by its name, each once, in the order they are declared."""
    return {one.name: one for group in groups for one in _settings(group)}


def _settings(group: type[SettingsGroup]) -> Iterator[Setting]:
    for name, info in group.model_fields.items():
        inner = _inner(info)
        if inner is not None:
            yield from _settings(inner)
        else:
            yield _setting(name, info)


class _Checked(NamedTuple):
    """Texts by field for pydantic, values by field for the rules, and what is wrong."""

    texts: dict[str, Any]
    values: dict[str, Any]
    problems: list[Problem]


def _check(group: type[SettingsGroup], environ: Mapping[str, str], unresolved: Mapping[str, str]) -> _Checked:
    checked = _Checked({}, {}, [])
    for name, info in group.model_fields.items():
        inner = _inner(info)
        if inner is None:
            _check_one(checked, group, _setting(name, info), (environ, unresolved))
        else:
            within = _check(inner, environ, unresolved)
            checked.texts[name] = within.texts
            checked.values.update(within.values)
            checked.problems.extend(within.problems)
    broken = (rule for rule in group.rules if rule.is_broken(checked.values))
    checked.problems.extend(Problem(rule.setting, rule.sentence) for rule in broken)
    return checked


def _check_one(
    checked: _Checked, group: type[SettingsGroup], one: Setting, where: tuple[Mapping[str, str], Mapping[str, str]]
) -> None:
    try:
        text = _text(one, *where)
        checked.values[one.field] = _adapter(group, one.field).validate_python(text)
        checked.texts[one.field] = text
    except ValueError as error:
        checked.problems.append(Problem(one.name, _sentence(error)))


def _text(one: Setting, environ: Mapping[str, str], unresolved: Mapping[str, str]) -> str:
    """Return the text of a setting: its own, an older spelling's, or the default. Raises ValueError otherwise."""
    for name in (one.name, *one.aliases):
        if name in unresolved:
            raise ValueError(unresolved[name])
    said = {name: environ[name] for name in (one.name, *one.aliases) if environ.get(name, "").strip()}
    if len({text.strip() for text in said.values()}) > 1:
        raise ValueError(f"is given twice, and differently: by {' and '.join(said)}")
    if said:
        text = next(iter(said.values()))
        return text if one.secret else text.strip()
    if one.default is None:
        raise ValueError(f"is not set: {one.meaning}")
    return one.default


def _sentence(error: ValueError) -> str:
    """Return the sentence our own check raised; pydantic's text around it repeats the value."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return str(first.get("ctx", {}).get("error", "cannot be read"))


def _inner(info: FieldInfo) -> type[SettingsGroup] | None:
    kind = info.annotation
    return kind if isinstance(kind, type) and issubclass(kind, SettingsGroup) else None


def _setting(field: str, info: FieldInfo) -> Setting:
    extra = info.json_schema_extra
    require(isinstance(extra, dict) and _INFO in extra, f"field {field} is neither a setting nor a group")
    about: Any = extra[_INFO] if isinstance(extra, dict) else {}
    return Setting(
        name=str(info.alias),
        field=field,
        meaning=str(info.description),
        default=about["default"],
        secret=about["secret"],
        aliases=tuple(about["aliases"]),
    )


@cache
def _adapter(group: type[SettingsGroup], field: str) -> TypeAdapter[Any]:
    info = group.model_fields[field]
    kind: Any = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
    return TypeAdapter(kind)
