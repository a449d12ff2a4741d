"""
Settings in groups: each a small frozen model, built alone, at its first use.

A group is a declaration: the setting's name, its meaning, its default, whether it is a secret. It is
the one source for what is read, for the README's table, for the example of local settings, for
``/ready`` and for the commands that look at a configuration. ``reading`` builds it from texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from foundation.errors import require

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


class Problem(NamedTuple):
    """A setting, and what is wrong with it."""

    setting: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.setting} {self.sentence}"


class SettingsGroup(BaseModel):
    """Settings that are needed together. A field is a ``setting``, or another group."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        validate_default=True,
        defer_build=True,
        hide_input_in_errors=True,
    )
    rules: ClassVar[Sequence[Rule]] = ()

    @classmethod
    def disagreements(cls, _values: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield what is wrong with the right *values* of the group together, where a ``Rule`` cannot say it."""
        yield from ()

    @classmethod
    def doubts(cls, _values: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield what is wrong with some of the right *values* and is reported only: the group is read all the same."""
        yield from ()


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
    account: bool
    """Its value names the setting of a storage account, which is checked with it."""
    alone: bool
    """A wrong one harms itself alone: it is reported and read as not set, and the group is read without it."""
    member: Callable[[str], str] | None
    """Of a family: returns the key of a member from the end of its name, or raises ValueError."""

    @property
    def family(self) -> str:
        """What the names of the members begin with; empty for a single setting."""
        return self.name.partition("<")[0] if self.member else ""


def setting(
    name: str,
    meaning: str,
    default: str | None = None,
    *,
    secret: bool = False,
    aliases: Sequence[str] = (),
    account: bool = False,
    alone: bool = False,
) -> Any:
    """
    Describe a setting; without *default* it is required, with an empty one it may stay unset.

    With *account* its value is the name of the setting that holds a storage account. With *alone* a wrong one is
    reported and read as not set.
    """
    about = {
        "default": default,
        "secret": secret,
        "aliases": tuple(aliases),
        "account": account,
        "alone": alone,
        "member": None,
    }
    start: Any = {} if default is None else {"default": default}
    return Field(alias=name, description=meaning, repr=not secret, json_schema_extra=_extra(about), **start)


def family(name: str, meaning: str, member: Callable[[str], str], *, secret: bool = False, alone: bool = False) -> Any:
    """
    Describe a family: one setting for each member, named *name* with ``<…>`` replaced, read into a mapping.

    None of them is required. *member* returns a member's key from the end of its name; ValueError: not a member.
    With *alone* a wrong member is reported, and the others are read without it.
    """
    about = {"default": "", "secret": secret, "aliases": (), "account": False, "alone": alone, "member": member}
    return Field(
        alias=name, description=meaning, repr=not secret, json_schema_extra=_extra(about), default_factory=dict
    )


def _extra(about: Mapping[str, Any]) -> Any:
    return {_INFO: about}


def settings_of(groups: Iterable[type[SettingsGroup]]) -> Mapping[str, Setting]:
    """Return every setting of *groups* by its name, each once, in the order they are declared."""
    return {one.name: one for group in groups for one in _settings(group)}


def _settings(group: type[SettingsGroup]) -> Iterator[Setting]:
    for name, info in group.model_fields.items():
        inner = inner_group(info)
        if inner is not None:
            yield from _settings(inner)
        else:
            yield setting_of(name, info)


def inner_group(info: FieldInfo) -> type[SettingsGroup] | None:
    """Return the group that a field is; None for a setting."""
    kind = info.annotation
    return kind if isinstance(kind, type) and issubclass(kind, SettingsGroup) else None


def setting_of(field: str, info: FieldInfo) -> Setting:
    """Return what there is to know about the setting that a field is."""
    extra = info.json_schema_extra
    require(isinstance(extra, dict) and _INFO in extra, f"field {field} is neither a setting nor a group")
    about: Any = extra[_INFO] if isinstance(extra, dict) else {}
    return Setting(
        name=str(info.alias),
        field=field,
        meaning=str(info.description),
        default=about["default"],
        secret=about["secret"],
        aliases=about["aliases"],
        account=about["account"],
        alone=about["alone"],
        member=about["member"],
    )
