"""Settings: the guide's names, all that is wrong named at once, and never a value."""

from __future__ import annotations

import pytest

from foundation.errors import ConfigurationError
from foundation.settings.groups import settings_of
from foundation.settings.reading import read_group
from payflow.sealing import key_id, new_key
from payflow.settings.groups import (
    ContaAzulSettings,
    Environment,
    KeySettings,
    LookSettings,
    OutgoingSettings,
    RetentionSettings,
    StorageSettings,
)

CONTA_AZUL = {
    "CONTA_AZUL_CLIENT_ID": "id",
    "CONTA_AZUL_CLIENT_SECRET": "very-secret",
    "CONTA_AZUL_REDIRECT_URI": "https://payflow.example/oauth/callback",
}


def test_the_guides_names_are_read() -> None:
    """With Conta Azul's own addresses by default."""
    found = read_group(ContaAzulSettings, CONTA_AZUL)

    assert found.api_url == "https://api-v2.contaazul.com"
    assert found.authorize_url == "https://auth.contaazul.com/oauth2/authorize"
    assert "very-secret" not in repr(found)


def test_networks_inside_are_none_unless_named() -> None:
    """Commas between them."""
    assert read_group(OutgoingSettings, {}).inside == ()
    assert [
        str(each) for each in read_group(OutgoingSettings, {"INSIDE_NETWORKS": "10.0.0.0/24,fd00::/64"}).inside
    ] == [
        "10.0.0.0/24",
        "fd00::/64",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONTA_AZUL_REDIRECT_URI", "http://payflow.example/oauth/callback"),
        ("CONTA_AZUL_REDIRECT_URI", "https://payflow.example/callback"),
        ("CONTA_AZUL_API_BASE_URL", "api-v2.contaazul.com"),
        ("CONTA_AZUL_CLIENT_SECRET", " "),
    ],
)
def test_what_is_wrong_is_named_without_its_value(name: str, value: str) -> None:
    """A value may be a secret."""
    with pytest.raises(ConfigurationError, match=name) as caught:
        read_group(ContaAzulSettings, CONTA_AZUL | {name: value})

    assert "very-secret" not in str(caught.value)


def test_development_may_speak_plainly_to_this_machine() -> None:
    """And to no other."""
    local = {
        "CONTA_AZUL_API_BASE_URL": "http://127.0.0.1:9000",
        "CONTA_AZUL_REDIRECT_URI": "http://127.0.0.1:1/oauth/callback",
    }

    assert read_group(ContaAzulSettings, CONTA_AZUL | local).api_url == "http://127.0.0.1:9000"


def test_keys_are_read() -> None:
    """The first seals, the old ones open."""
    new, old = new_key(), new_key()

    sealer = read_group(KeySettings, {"MASTER_KEY": new, "OLD_MASTER_KEYS": f"{old}, "}).sealer()

    assert sealer.current == key_id(new)
    assert new not in repr(read_group(KeySettings, {"MASTER_KEY": new}))


def test_each_key_signs_for_each_purpose_in_its_own_way() -> None:
    """The newest first; what the one before signed is still accepted."""
    new, old = new_key(), new_key()
    rotated = read_group(KeySettings, {"MASTER_KEY": new, "OLD_MASTER_KEYS": old})

    assert rotated.signing("office") == [
        *read_group(KeySettings, {"MASTER_KEY": new}).signing("office"),
        *read_group(KeySettings, {"MASTER_KEY": old}).signing("office"),
    ]
    assert len({*rotated.signing("office"), *rotated.signing("another")}) == 4


def test_the_origin_of_our_pages_is_that_of_the_redirect_uri() -> None:
    """As a browser names it: no path, no port that https has anyway."""
    redirect = {"CONTA_AZUL_REDIRECT_URI": "https://Clinics.example.com:443/oauth/callback"}

    assert read_group(ContaAzulSettings, CONTA_AZUL | redirect).origin == "https://clinics.example.com"


def test_a_look_has_its_interval_and_its_hosts() -> None:
    """Within the guide's limits."""
    found = read_group(LookSettings, {"DOCUMENT_HOSTS": "A.example, b.example:8443"})

    assert (found.interval_s, found.document_hosts) == (300, ("a.example", "b.example:8443"))


@pytest.mark.parametrize(
    "wrong", [{"POLLING_INTERVAL_SECONDS": "10"}, {"DOCUMENT_HOSTS": "https://a.example"}, {"DOCUMENT_HOSTS": "u@a"}]
)
def test_limits_are_kept(wrong: dict[str, str]) -> None:
    """By name."""
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        read_group(LookSettings, wrong)


def test_personal_data_is_kept_for_180_days_or_as_long_as_it_is_said() -> None:
    """0 is never; what is younger than 30 days is still worked with."""
    found = [read_group(RetentionSettings, {"RETENTION_DAYS": days}).days for days in ("0", "30", "36500")]

    assert (read_group(RetentionSettings, {}).days, found) == (180, [0, 30, 36500])
    for wrong in ("1", "29", "36501", "-1", "never"):
        with pytest.raises(ConfigurationError, match="RETENTION_DAYS"):
            read_group(RetentionSettings, {"RETENTION_DAYS": wrong})


def test_where_rows_are_has_defaults() -> None:
    """The second account is another setting than the first."""
    found = read_group(StorageSettings, {})

    assert (found.ledger, found.second, found.environment) == (
        "AzureWebJobsStorage",
        "SEND_LOG_STORAGE",
        Environment.DEVELOPMENT,
    )


def test_every_setting_says_what_it_is() -> None:
    """For the table in the README."""
    found = settings_of([StorageSettings, KeySettings, ContaAzulSettings, LookSettings, RetentionSettings])

    assert all(one.meaning for one in found.values())
    assert {name for name, one in found.items() if one.secret} == {
        "MASTER_KEY",
        "OLD_MASTER_KEYS",
        "CONTA_AZUL_CLIENT_SECRET",
    }
