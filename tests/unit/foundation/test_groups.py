"""A group of settings is read alone; all that is wrong is named at once, and no value is repeated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import pytest
from pydantic import BeforeValidator, SecretStr, ValidationError

from foundation.errors import ConfigurationError, InvariantBroken
from foundation.settings import values as accept
from foundation.settings.groups import Problem, Rule, SettingsGroup, family, setting, settings_of
from foundation.settings.reading import accounts_of, problems, read_group, secrets_of


def _word(text: str) -> str:
    if len(text) < 4:
        raise ValueError("is shorter than 4 letters")
    return text


class Door(SettingsGroup):
    """A secret and a number."""

    key: Annotated[SecretStr, BeforeValidator(_word)] = setting("DOOR_KEY", "Opens the door", secret=True)
    width: Annotated[int, BeforeValidator(accept.whole(1, 9))] = setting("DOOR_WIDTH", "In metres", "2")


class House(SettingsGroup):
    """A group in a group, and a rule over both."""

    door: Door
    depth: Annotated[int, BeforeValidator(accept.whole(1, 9))] = setting("DEPTH", "In metres", aliases=["HOUSE_DEPTH"])
    name: str = setting("NAME", "What it is called", "")
    rules: ClassVar = [Rule(lambda width, depth: width < depth, ("width", "depth"), "DEPTH", "must exceed DOOR_WIDTH")]


GOOD = {"DOOR_KEY": " opens ", "DEPTH": " 7 ", "OTHER": "x"}


def test_a_group_is_read_with_its_defaults_and_its_inner_group() -> None:
    """A secret is taken byte for byte, all else without white space around it."""
    house = read_group(House, GOOD)

    assert (house.depth, house.name, house.door.width) == (7, "", 2)
    assert house.door.key.get_secret_value() == " opens "


def test_a_group_cannot_be_changed() -> None:
    """It is what was set."""
    house = read_group(House, GOOD)

    with pytest.raises(ValidationError):
        house.depth = 8  # type: ignore[misc]


def test_all_that_is_wrong_is_named_at_once_and_nothing_is_repeated() -> None:
    """Missing, wrong, and unresolved settings, of the inner group too."""
    environ = {"DOOR_KEY": "abc", "DOOR_WIDTH": "wide", "NAME": "x"}

    found = problems(House, environ, {"NAME": "is not in the vault"})

    assert found == [
        Problem("DOOR_KEY", "is shorter than 4 letters"),
        Problem("DOOR_WIDTH", "must be a whole number from 1 to 9"),
        Problem("DEPTH", "is not set: In metres"),
        Problem("NAME", "is not in the vault"),
    ]
    with pytest.raises(ConfigurationError) as refused:
        read_group(House, environ)
    assert "abc" not in str(refused.value)
    assert str(refused.value).startswith("DOOR_KEY is shorter than 4 letters; DOOR_WIDTH must be")


def test_a_check_that_is_not_ours_does_not_show_the_value() -> None:
    """Pydantic's own sentences may repeat it."""

    class Odd(SettingsGroup):
        number: int = setting("ODD", "A number")

    assert problems(Odd, {"ODD": "secret"}) == [Problem("ODD", "cannot be read")]


def test_a_rule_is_asked_when_its_settings_are_right_by_themselves() -> None:
    """And only then."""
    assert problems(House, GOOD | {"DEPTH": "2"}) == [Problem("DEPTH", "must exceed DOOR_WIDTH")]
    assert problems(House, GOOD | {"DOOR_WIDTH": "x"}) == [Problem("DOOR_WIDTH", "must be a whole number from 1 to 9")]


def test_an_older_spelling_is_read_and_a_contradiction_is_named() -> None:
    """Two spellings that say the same are no contradiction."""
    environ = {"DOOR_KEY": "opens", "HOUSE_DEPTH": "7"}

    assert read_group(House, environ).depth == 7
    assert read_group(House, environ | {"DEPTH": "7 "}).depth == 7
    assert problems(House, environ | {"DEPTH": "8"}) == [
        Problem("DEPTH", "is given twice, and differently: by DEPTH and HOUSE_DEPTH")
    ]
    assert problems(House, environ, {"HOUSE_DEPTH": "is not in the vault"})[0].setting == "DEPTH"


def test_every_setting_is_described_once() -> None:
    """For tables, examples and checks."""
    described = settings_of([Door, House])

    assert list(described) == ["DOOR_KEY", "DOOR_WIDTH", "DEPTH", "NAME"]
    assert (described["DOOR_KEY"].secret, described["DOOR_KEY"].default) == (True, None)
    assert (described["DEPTH"].aliases, described["NAME"].default) == (("HOUSE_DEPTH",), "")


def test_a_secret_stays_out_of_repr() -> None:
    """Whatever prints the group."""
    assert "opens" not in repr(read_group(House, GOOD))


def test_a_field_that_is_no_setting_is_refused() -> None:
    """It would be read from nowhere."""

    class Strange(SettingsGroup):
        number: int = 1

    with pytest.raises(InvariantBroken, match="field number"):
        settings_of([Strange])


def _room(end: str) -> str:
    if not end.isalpha():
        raise ValueError("must end in letters")
    return end.lower()


class Keys(SettingsGroup):
    """A family of secrets, and a storage account."""

    keys: Mapping[str, Annotated[SecretStr, accept.parsed(_word)]] = family(
        "ROOM__<NAME>", "One room", _room, secret=True
    )
    account: Annotated[str, accept.parsed(accept.setting_name)] = setting("STORE", "The account", "Box", account=True)


class Twice(SettingsGroup):
    """Two groups that read the same setting."""

    door: Door
    house: House


def test_a_family_is_one_setting_for_each_member() -> None:
    """Read by the end of the name; a member that is wrong is named by itself, and a blank one is not set."""
    environ = {"ROOM__A": "kitchen", "ROOM__B": " ", "Box": "UseDevelopmentStorage=true"}

    assert read_group(Keys, environ).keys == {"a": SecretStr("kitchen")}
    assert secrets_of(Keys, environ | {"ROOM__1": ""}) == ["ROOM__A", "ROOM__B"]
    assert problems(Keys, environ | {"ROOM__1": "kitchen", "ROOM__B": "x"}, {"ROOM__C": "is not in the vault"}) == [
        Problem("ROOM__1", "must end in letters"),
        Problem("ROOM__B", "is shorter than 4 letters"),
        Problem("ROOM__C", "is not in the vault"),
    ]


def test_the_account_that_a_setting_names_is_checked_with_it() -> None:
    """Missing, wrong or not resolved: it is named at once."""
    assert accounts_of(Keys, {}) == ["Box"]
    assert [problem.setting for problem in problems(Keys, {})] == ["Box"]
    assert problems(Keys, {"STORE": "Barn"}, {"Barn": "is not in the vault"}) == [
        Problem("Barn", "is not in the vault")
    ]


def test_a_setting_that_two_inner_groups_read_is_named_once() -> None:
    """A person reads each sentence once."""
    assert [problem.setting for problem in problems(Twice, {})] == ["DOOR_KEY", "DEPTH"]


def test_code_builds_a_group_of_values_and_leaves_out_what_has_a_default() -> None:
    """The default is checked like a text."""
    built = Keys(keys={"a": SecretStr("kitchen")})

    assert (built.account, built.keys["a"].get_secret_value()) == ("Box", "kitchen")
