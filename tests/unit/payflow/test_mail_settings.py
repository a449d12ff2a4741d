"""Mail settings: one meaning each, and nothing that would log in unencrypted or mail the wrong people."""

from __future__ import annotations

import pytest

from foundation.errors import ConfigurationError
from foundation.settings.reading import read_group
from payflow.mail.smtp import Auth, Security
from payflow.settings.mail import BounceSettings, MailSettings, Transport

GIVEN = {
    "SMTP_HOST": "mail.example",
    "SMTP_USER": "u",
    "SMTP_PASSWORD": "very-secret",
    "SMTP_FROM": "recibos@clinica.example",
    "OVERRIDE_RECIPIENT_EMAIL": "teste@clinica.example",
}


@pytest.mark.parametrize(
    ("said", "security"),
    [
        ({}, Security.STARTTLS),
        ({"SMTP_PORT": "465"}, Security.TLS),
        ({"SMTP_PORT": "465", "SMTP_USE_SMTPS": "true"}, Security.TLS),
        ({"SMTP_PORT": "587", "SMTP_USE_TLS": "true"}, Security.STARTTLS),
        ({"SMTP_PORT": "2525", "SMTP_USE_SSL": "true"}, Security.TLS),
        ({"SMTP_PORT": "2525", "SMTP_SECURITY": "TLS"}, Security.TLS),
        ({"SMTP_PORT": "465", "SMTP_USE_TLS": "false", "SMTP_USE_SSL": "true"}, Security.TLS),
    ],
)
def test_the_guides_spellings_mean_one_thing(said: dict[str, str], security: Security) -> None:
    """587 with STARTTLS, 465 with TLS, and the old flags."""
    assert read_group(MailSettings, GIVEN | said).server().security is security


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"SMTP_PORT": "465", "SMTP_SECURITY": "starttls"}, "SMTP_SECURITY"),
        ({"SMTP_PORT": "587", "SMTP_USE_SMTPS": "true"}, "SMTP_SECURITY"),
        ({"SMTP_PORT": "2525", "SMTP_USE_TLS": "true", "SMTP_USE_SSL": "true"}, "SMTP_SECURITY"),
        ({"SMTP_USE_TLS": "false"}, "SMTP_SECURITY"),
        ({"SMTP_SECURITY": "plain"}, "SMTP_SECURITY"),
        ({"SMTP_PORT": "2525", "SMTP_SECURITY": "none"}, "SMTP_SECURITY"),
        ({"SMTP_FROM": "nobody"}, "SMTP_FROM"),
        ({"OVERRIDE_RECIPIENT_EMAIL": "nobody"}, "OVERRIDE_RECIPIENT_EMAIL"),
        ({"OVERRIDE_RECIPIENT_EMAIL": ""}, "OVERRIDE_RECIPIENT_EMAIL"),
        ({"ENVIRONMENT": "production"}, "OVERRIDE_RECIPIENT_EMAIL"),
        ({"SMTP_USE_SSL": "true", "SMTP_USE_SMTPS": "false"}, "SMTP_USE_SSL"),
        ({"SMTP_AUTH": "xoauth2"}, "SMTP_AUTH"),
        ({"SMTP_AUTH": "xoauth2", "SMTP_USER": "", "SMTP_PASSWORD": ""}, "SMTP_AUTH"),
        ({"SMTP_AUTH": "none"}, "SMTP_AUTH"),
        ({"SMTP_AUTH": "plain"}, "SMTP_AUTH"),
        ({"SMTP_HOST": ""}, "SMTP_HOST"),
        ({"MAIL": "pigeon"}, "MAIL"),
        ({"MAIL": "acs"}, "ACS_ENDPOINT"),
        ({"MAIL": "acs", "ACS_ENDPOINT": "http://clinic.communication.azure.com"}, "ACS_ENDPOINT"),
        ({"ACS_ENDPOINT": "https://clinic.communication.azure.com"}, "ACS_ENDPOINT"),
    ],
)
def test_contradictions_are_refused_by_name(said: dict[str, str], named: str) -> None:
    """Never guessed, never shown."""
    with pytest.raises(ConfigurationError, match=named) as caught:
        read_group(MailSettings, GIVEN | said)

    assert "very-secret" not in str(caught.value)


def test_production_mails_the_real_recipients() -> None:
    """Without an override."""
    found = read_group(MailSettings, GIVEN | {"ENVIRONMENT": "production", "OVERRIDE_RECIPIENT_EMAIL": ""})

    assert (found.override, found.server().auth, found.server().helo) == ("", Auth.PASSWORD, "clinica.example")
    assert found.server().secret() == "very-secret"


def test_an_identity_signs_in_without_a_password() -> None:
    """Exchange Online switches passwords off; the token is asked for at each connection."""
    found = read_group(MailSettings, GIVEN | {"SMTP_AUTH": "XOAUTH2", "SMTP_PASSWORD": ""})

    assert (found.server().auth, found.token_scope) == (Auth.XOAUTH2, "https://outlook.office365.com/.default")


def test_a_service_needs_no_server() -> None:
    """Endpoint and sender; the app's identity signs in, so there is no key to keep."""
    said = {"MAIL": "ACS", "ACS_ENDPOINT": "https://clinic.communication.azure.com/", "SMTP_FROM": GIVEN["SMTP_FROM"]}
    found = read_group(MailSettings, said | {"OVERRIDE_RECIPIENT_EMAIL": GIVEN["OVERRIDE_RECIPIENT_EMAIL"]})

    assert (found.transport, found.acs_endpoint) == (Transport.ACS, "https://clinic.communication.azure.com")


def test_a_server_on_this_machine_may_do_without_tls() -> None:
    """And without a login only."""
    local = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": "1025", "SMTP_SECURITY": "none", "SMTP_USER": ""}

    server = read_group(MailSettings, GIVEN | local).server()

    assert (server.security, server.auth) == (Security.NONE, Auth.NONE)
    with pytest.raises(ConfigurationError):
        read_group(MailSettings, GIVEN | local | {"SMTP_USER": "u"})


def test_a_secret_that_signs_nothing_is_refused_and_none_takes_no_bounces() -> None:
    """Too short, or no base64: named, and not shown."""
    strong = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # pragma: allowlist secret
    assert not read_group(BounceSettings, {}).events.get_secret_value()
    assert read_group(BounceSettings, {"MAIL_EVENTS_SECRET": "x" * 32}).events.get_secret_value() == "x" * 32
    for weak in ("x" * 31, "é" * 32):
        with pytest.raises(ConfigurationError, match="MAIL_EVENTS_SECRET must be at least 32") as caught:
            read_group(BounceSettings, {"MAIL_EVENTS_SECRET": weak})
        assert weak not in str(caught.value)
    assert not read_group(BounceSettings, {}).secret.get_secret_value()
    assert read_group(BounceSettings, {"BOUNCE_SECRET": strong}).secret.get_secret_value() == strong
    for weak in ("whsec_c2hvcnQ=", "whsec_???"):
        with pytest.raises(ConfigurationError, match="BOUNCE_SECRET") as caught:
            read_group(BounceSettings, {"BOUNCE_SECRET": weak})
        assert weak not in str(caught.value)
