"""Who may open the console, as the settings say it."""

from __future__ import annotations

import pytest

from foundation.console.sessions import Role
from foundation.console.settings import ConsoleSettings
from foundation.errors import ConfigurationError
from foundation.settings.reading import problems, read_group

ON = {
    "CONSOLE_TOKEN__ANA": "a" * 32,
    "CONSOLE_TOKEN__JOAO": "j" * 32,
    "CONSOLE_OPERATORS": "ana",
    "CONSOLE_KEY": "k" * 32,
    "CONSOLE_URL": "https://Payouts.example.com/",
}


def test_without_a_token_there_is_no_console_and_nothing_is_wrong() -> None:
    """An installation that has never heard of it stays ready."""
    settings = read_group(ConsoleSettings, {})

    assert (settings.people, settings.keys, settings.url) == ({}, [], None)


def test_who_may_look_and_who_may_act() -> None:
    """A name that is not among the operators looks on."""
    settings = read_group(ConsoleSettings, ON | {"CONSOLE_KEY_PREVIOUS": "p" * 32})

    assert {name: each.role for name, each in settings.people.items()} == {"ana": Role.OPERATOR, "joao": Role.VIEWER}
    assert settings.keys == ["k" * 32, "p" * 32]
    assert settings.url == "https://payouts.example.com"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://payouts.example.com:443", "https://payouts.example.com"),
        ("https://payouts.example.com:", "https://payouts.example.com"),
        ("https://payouts.example.com:8443/", "https://payouts.example.com:8443"),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:7071", "http://[::1]:7071"),
    ],
)
def test_the_address_is_compared_as_a_browser_sends_it(url: str, origin: str) -> None:
    """Else every form would be refused as another site's, the sign-in too."""
    assert read_group(ConsoleSettings, ON | {"CONSOLE_URL": url}).url == origin


@pytest.mark.parametrize("missing", ["CONSOLE_KEY", "CONSOLE_URL"])
def test_a_console_that_is_on_needs_its_key_and_its_address(missing: str) -> None:
    """Without the key nobody could be signed in; without the address any form could be a forged one."""
    with pytest.raises(ConfigurationError, match=f"{missing} must be set"):
        read_group(ConsoleSettings, ON | {missing: ""})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONSOLE_KEY", "k" * 31),
        ("CONSOLE_KEY", "k" * 32 + " "),
        ("CONSOLE_KEY", "k" * 32 + "\u200b"),
        ("CONSOLE_URL", "http://payouts.example.com"),
        ("CONSOLE_URL", "https://payouts.example.com/console"),
        ("CONSOLE_URL", "pay.example.org"),
        ("CONSOLE_URL", "https://payouts.example.com/#console"),
        ("CONSOLE_URL", "https://:pw@payouts.example.com"),
        ("CONSOLE_URL", "https://pagões.example.com"),
        ("CONSOLE_OPERATORS", "ana;joao"),
    ],
)
def test_what_would_be_guessed_or_compared_wrongly_is_refused(name: str, value: str) -> None:
    """By name, and never with the value."""
    with pytest.raises(ConfigurationError, match=name) as error:
        read_group(ConsoleSettings, ON | {name: value})

    assert value not in str(error.value)


@pytest.mark.parametrize("name", ["CONSOLE_TOKEN__ANA", "CONSOLE_TOKEN__9", "CONSOLE_TOKEN__"])
def test_a_wrong_token_keeps_its_own_person_out_only(name: str) -> None:
    """Too short, or for an invalid name; it is named."""
    spoilt = ON | {name: "short"}

    assert "joao" in read_group(ConsoleSettings, spoilt).people
    assert name in [problem.setting for problem in problems(ConsoleSettings, spoilt)]


def test_two_who_share_a_token_are_both_kept_out() -> None:
    """The audit trail could not say which of them acted."""
    shared = ON | {"CONSOLE_TOKEN__JOAO": "a" * 32, "CONSOLE_TOKEN__EVA": "e" * 32}

    assert list(read_group(ConsoleSettings, shared).people) == ["eva"]
    assert [problem.setting for problem in problems(ConsoleSettings, shared)] == [
        "CONSOLE_TOKEN__ANA",
        "CONSOLE_TOKEN__JOAO",
    ]
