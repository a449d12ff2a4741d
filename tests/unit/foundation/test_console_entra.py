"""The platform's word about who signed in: compared exactly, refused when it cannot be read, never anonymous."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from foundation.console.entra import BYTES_MAX, Entra, PrincipalRefused, PrincipalUnreadable, platform_signs_in
from foundation.console.sessions import Role
from foundation.console.settings import ConsoleSettings
from foundation.errors import ConfigurationError
from foundation.settings.reading import read_group

TENANT, CLIENT = "11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-000000000000"
LONG = "http://schemas.microsoft.com/identity/claims"
ENTRA = Entra(tenant=TENANT, client=CLIENT)
CLAIMS = {
    "tid": TENANT,
    "aud": CLIENT,
    "oid": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "preferred_username": "Ana@Example.com",
    "roles": "console.operator",
}


def a_principal(*more: tuple[str, str], leave_out: str = "", **claims: str) -> str:
    """Return the header as the platform writes it."""
    kept = {kind: value for kind, value in {**CLAIMS, **claims}.items() if kind != leave_out}
    pairs = [*kept.items(), *more]
    return encoded({"auth_typ": "aad", "claims": [{"typ": kind, "val": value} for kind, value in pairs]})


def encoded(said: Any) -> str:
    """Return anything in the header's form."""
    return base64.b64encode(json.dumps(said).encode()).decode()


def test_who_signed_in_comes_in_by_name_and_role() -> None:
    """The name is that of the sign-in, in small letters; what is remembered of them is the directory's own id."""
    person = ENTRA.person(a_principal())

    assert (person.name, person.role) == ("ana@example.com", Role.OPERATOR)
    assert CLAIMS["oid"] in person.token


def test_the_longer_names_of_claims_are_the_same() -> None:
    """The platform maps some of them."""
    mapped = {f"{LONG}/tenantid": TENANT, f"{LONG}/objectidentifier": CLAIMS["oid"]}
    roles = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
    rest = {"aud": CLIENT, "preferred_username": "joao@example.com", roles: "console.viewer", "other": "x"}
    said = {"auth_typ": "aad", "claims": [{"typ": kind, "val": each} for kind, each in (mapped | rest).items()]}

    assert ENTRA.person(encoded(said)).role is Role.VIEWER


@pytest.mark.parametrize(
    "header",
    [
        "",
        "e30=",
        "e30",
        "not base64!",
        "é",
        encoded([]),
        encoded("text"),
        encoded({"auth_typ": "aad", "claims": "text"}),
        encoded({"auth_typ": "aad", "claims": None}),
        encoded({"auth_typ": "aad", "claims": [{"typ": "tid"}]}),
        encoded({"auth_typ": "aad", "claims": [{"typ": "tid", "val": 1}]}),
        encoded({"auth_typ": "google", "claims": [{"typ": kind, "val": value} for kind, value in CLAIMS.items()]}),
        base64.b64encode(b"[" * 5_000).decode(),
        base64.b64encode(b'{"auth_typ": "\xff"}').decode(),
        a_principal(preferred_username="ana"),
        a_principal(preferred_username="ana@example.com\nroot"),
        a_principal(("tid", CLIENT)),
        a_principal(("aud", TENANT)),
        a_principal((f"{LONG}/objectidentifier", "another")),
        a_principal(("preferred_username", "eva@example.com")),
        a_principal(("groups", "g" * BYTES_MAX)),
        *(a_principal(leave_out=kind) for kind in CLAIMS if kind != "roles"),
    ],
)
def test_what_cannot_be_read_is_nobody(header: str) -> None:
    """Two words about one thing are no word."""
    with pytest.raises(PrincipalUnreadable):
        ENTRA.person(header)


@given(some.text() | some.binary().map(lambda raw: base64.b64encode(raw).decode()))
def test_no_text_is_anybody_else(header: str) -> None:
    """Whatever is sent is refused in one way."""
    with pytest.raises(PrincipalUnreadable):
        ENTRA.person(header)


@pytest.mark.parametrize(
    "header",
    [
        a_principal(tid=CLIENT),
        a_principal(tid=TENANT + " "),
        a_principal(aud=f"api://{CLIENT}"),
        a_principal(leave_out="roles"),
        a_principal(roles="Console.Operator"),
        a_principal(roles="console.operator "),
        a_principal(roles="operator"),
        a_principal(roles="console.operator,console.viewer"),
    ],
)
def test_another_tenant_application_or_role_stays_outside(header: str) -> None:
    """Compared exactly, letter by letter."""
    with pytest.raises(PrincipalRefused):
        ENTRA.person(header)


ON = {"WEBSITE_AUTH_ENABLED": "True"}


@pytest.mark.parametrize(
    ("environ", "signs_in"),
    [
        (ON, True),
        ({}, False),
        ({"WEBSITE_AUTH_ENABLED": "False"}, False),
        ({"WEBSITE_AUTH_ENABLED": "1"}, False),
        (ON | {"CONSOLE_IN_CONTAINER": "1"}, False),
        (ON | {"CONTAINER_APP_NAME": "payouts"}, False),
        (ON | {"DOCKER_CUSTOM_IMAGE_NAME": "x"}, False),
        (ON | {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, False),
    ],
)
def test_the_platform_says_that_it_signs_people_in(environ: dict[str, str], *, signs_in: bool) -> None:
    """Before a container nobody takes a forged header away."""
    assert platform_signs_in(environ) is signs_in


SET = {
    "CONSOLE_ENTRA": "1",
    "CONSOLE_ENTRA_TENANT": TENANT.upper(),
    "CONSOLE_ENTRA_CLIENT": CLIENT,
    "CONSOLE_KEY": "k" * 32,
    "CONSOLE_URL": "https://payouts.example.com",
}


def test_the_settings_name_one_tenant_and_one_application() -> None:
    """In the letters of the tokens; without the switch nobody's word is taken."""
    assert read_group(ConsoleSettings, SET).entra_id == ENTRA
    assert read_group(ConsoleSettings, SET | {"CONSOLE_ENTRA": "0"}).entra_id is None


@pytest.mark.parametrize("missing", ["CONSOLE_ENTRA_TENANT", "CONSOLE_ENTRA_CLIENT", "CONSOLE_KEY", "CONSOLE_URL"])
def test_a_sign_in_by_the_platform_needs_all_of_it(missing: str) -> None:
    """Without the tenant anybody of the whole world could come."""
    with pytest.raises(ConfigurationError, match=f"{missing} must be set with CONSOLE_ENTRA"):
        read_group(ConsoleSettings, SET | {missing: ""})


def test_an_id_is_an_id() -> None:
    """A domain's name is another thing in each token."""
    with pytest.raises(ConfigurationError, match="CONSOLE_ENTRA_TENANT must be an id"):
        read_group(ConsoleSettings, SET | {"CONSOLE_ENTRA_TENANT": "example.com"})
