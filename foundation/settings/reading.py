"""
Reading a group of settings: texts in, the group out, or everything that is wrong with it.

All that is wrong is named at once, and never with a value: a value may be a secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple, TypeVar, get_args

from pydantic import TypeAdapter, ValidationError

from foundation.errors import ConfigurationError
from foundation.settings.groups import Problem, Setting, SettingsGroup, inner_group, setting_of, settings_of
from foundation.settings.storage import storage

G = TypeVar("G", bound=SettingsGroup)

_NOTHING: Mapping[str, str] = MappingProxyType({})
_Where = tuple[Mapping[str, str], Mapping[str, str]]
"""The texts, and why some of them could not be resolved."""


def read_group(group: type[G], environ: Mapping[str, str], unresolved: Mapping[str, str] = _NOTHING) -> G:
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
        sentences = list(map(str, checked.problems))
        raise ConfigurationError("; ".join(sentences), sentences=sentences)
    return group.model_validate(checked.texts)


def problems(
    group: type[SettingsGroup], environ: Mapping[str, str], unresolved: Mapping[str, str] = _NOTHING
) -> Sequence[Problem]:
    """Return what is missing or wrong in *group*, what harms itself alone included."""
    checked = _check(group, environ, unresolved)
    return [*checked.problems, *checked.doubts]


def secrets_of(group: type[SettingsGroup], environ: Mapping[str, str]) -> Sequence[str]:
    """
    Return the names of the secrets that *group* needs or may use.

    A member of a family is known by a setting of its own in *environ*, even an empty one: a vault is not
    listed. Then each family has that member, to be looked for in the vault.
    """
    ours = [one for one in settings_of([group]).values() if one.secret]
    ends = sorted({end for one in ours if one.member for end in _ends(one, environ)})
    return [name for one in ours for name in ([one.family + end for end in ends] if one.member else [one.name])]


def accounts_of(group: type[SettingsGroup], environ: Mapping[str, str]) -> Sequence[str]:
    """Return the names of the settings that hold the storage accounts *group* uses."""
    ours = [one for one in settings_of([group]).values() if one.account]
    return [environ.get(one.name, "").strip() or one.default or "" for one in ours]


def _ends(one: Setting, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the ends of the members' names that can be a member's; ``_check`` names the others."""
    for end in (name.removeprefix(one.family) for name in environ if name.startswith(one.family)):
        with suppress(ValueError):
            (one.member or str)(end)
            yield end


class _Checked(NamedTuple):
    """Texts by field for pydantic, values by field for the rules, and what is wrong."""

    texts: dict[str, Any]
    values: dict[str, Any]
    problems: list[Problem]
    """With one of these the group is not read."""
    doubts: list[Problem]
    """These are reported only."""

    def blame(self, one: Setting, found: Sequence[Problem]) -> None:
        """Keep what is wrong with a setting."""
        (self.doubts if one.alone else self.problems).extend(found)


def _check(group: type[SettingsGroup], environ: Mapping[str, str], unresolved: Mapping[str, str]) -> _Checked:
    checked = _Checked({}, {}, [], [])
    for name, info in group.model_fields.items():
        inner = inner_group(info)
        if inner is None:
            _check_one(checked, group, setting_of(name, info), (environ, unresolved))
        else:
            within = _check(inner, environ, unresolved)
            checked.texts[name] = within.texts
            checked.values.update(within.values)
            checked.problems.extend(within.problems)
            checked.doubts.extend(within.doubts)
    broken = (rule for rule in group.rules if rule.is_broken(checked.values))
    checked.problems.extend(Problem(rule.setting, rule.sentence) for rule in broken)
    checked.doubts.extend(group.doubts(checked.values))
    lacking = list(group.disagreements(checked.values))
    if lacking and checked.doubts:  # what is lacking was set aside as wrong: that is what a person corrects
        lacking, checked.doubts[:] = list(checked.doubts), []
    checked.problems.extend(lacking)
    for found in (checked.problems, checked.doubts):
        found[:] = dict.fromkeys(found)  # a setting that two inner groups read is named once
    return checked


def _check_one(checked: _Checked, group: type[SettingsGroup], one: Setting, where: _Where) -> None:
    if one.member is not None:
        _check_family(checked, group, one, where)
        return
    try:
        text = _text(one, *where)
        checked.values[one.field] = _adapter(group, one.field).validate_python(text)
        checked.texts[one.field] = text
    except ValueError as error:
        checked.blame(one, [Problem(one.name, _sentence(error))])
        if one.alone and one.default is not None:
            checked.values[one.field] = _adapter(group, one.field).validate_python(one.default)
            checked.texts[one.field] = one.default
    else:
        checked.problems.extend(_account_problems(text, *where) if one.account else ())


def _check_family(checked: _Checked, group: type[SettingsGroup], one: Setting, where: _Where) -> None:
    """Check each member by itself; the family is right when all of them are, or if each of them is independent."""
    environ, unresolved = where
    texts, values, wrong = dict[str, str](), dict[str, Any](), list[Problem]()
    for name in sorted({name for name in (*environ, *unresolved) if name.startswith(one.family)}):
        try:
            key = (one.member or str)(name.removeprefix(one.family))
            if name in unresolved:
                raise ValueError(unresolved[name])  # noqa: TRY301 -- named with what else is wrong with a member
            if environ[name].strip():
                values[key] = _member_adapter(group, one.field).validate_python(environ[name])
                texts[key] = environ[name]
        except ValueError as error:
            wrong.append(Problem(name, _sentence(error)))
    checked.blame(one, wrong)
    if one.alone or not wrong:
        checked.values[one.field], checked.texts[one.field] = values, texts


def _account_problems(name: str, environ: Mapping[str, str], unresolved: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is wrong with the setting *name* of a storage account."""
    if name in unresolved:
        yield Problem(name, unresolved[name])
        return
    try:
        storage(environ, name)
    except ConfigurationError as error:
        yield Problem(*str(error).split(" ", 1))


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


@cache
def _adapter(group: type[SettingsGroup], field: str) -> TypeAdapter[Any]:
    info = group.model_fields[field]
    kind: Any = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
    return TypeAdapter(kind)


@cache
def _member_adapter(group: type[SettingsGroup], field: str) -> TypeAdapter[Any]:
    return TypeAdapter(get_args(group.model_fields[field].annotation)[1])
