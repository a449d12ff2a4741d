"""The settings that hold the shops' secrets, one shop or many, one secret or two."""

import base64

import pytest

from distributor.settings.shop_secrets import SecretName
from distributor.settings.use_cases import IntakeSettings
from foundation.errors import ConfigurationError
from foundation.settings.reading import problems, read_group, secrets_of

OURS, BEFORE = "the secret of this shop now", "the secret of this shop before"
THEIRS, THEIRS_BEFORE = "the secret of shop b now", "the secret of shop b before"
OTHERS = {
    "CHAIN_ID": "137",
    "AUTHORITY_ADDRESS": "0x" + "11" * 20,
    "TOKEN_ADDRESS": "0x" + "22" * 20,
    "RESERVE_ADDRESS": "0x" + "33" * 20,
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
}


def secrets(**environ: str) -> dict[SecretName, str]:
    """Return the secrets these settings stand for."""
    return dict(read_group(IntakeSettings, {**OTHERS, **environ}).webhook.shop_secrets)


def wrong(**environ: str) -> list[str]:
    """Return what is said of these settings, with which no order is taken."""
    with pytest.raises(ConfigurationError) as caught:
        secrets(**environ)
    return str(caught.value).split("; ")


def told_of(**environ: str) -> list[str]:
    """Return what is reported of these settings."""
    return [str(one) for one in problems(IntakeSettings, {**OTHERS, **environ})]


def test_one_shop_has_one_secret_or_two() -> None:
    """The second is the one before the last rotation."""
    assert secrets(WEBHOOK_SECRET=OURS) == {SecretName("default", "current"): OURS}
    assert secrets(WEBHOOK_SECRET=OURS, WEBHOOK_SECRET_PREVIOUS=BEFORE) == {
        SecretName("default", "current"): OURS,
        SecretName("default", "previous"): BEFORE,
    }


def test_each_further_shop_has_its_own() -> None:
    """The end of the setting's name is the shop's, in lower case and with hyphens."""
    found = secrets(WEBHOOK_SECRET=OURS, WEBHOOK_SECRET__SHOP_B2=THEIRS, WEBHOOK_SECRET_PREVIOUS__SHOP_B2=THEIRS_BEFORE)

    assert found == {
        SecretName("default", "current"): OURS,
        SecretName("shop-b2", "current"): THEIRS,
        SecretName("shop-b2", "previous"): THEIRS_BEFORE,
    }
    assert [name.setting for name in sorted(found)] == [
        "WEBHOOK_SECRET",
        "WEBHOOK_SECRET__SHOP_B2",
        "WEBHOOK_SECRET_PREVIOUS__SHOP_B2",
    ]


def test_a_service_for_named_shops_only_needs_no_default() -> None:
    """A secret nobody signs with would only be one more that can leak."""
    assert secrets(WEBHOOK_SECRET__SHOP_B=THEIRS) == {SecretName("shop-b", "current"): THEIRS}


def test_no_secret_at_all_names_the_setting() -> None:
    """A blank one does not count."""
    for environ in ({}, {"WEBHOOK_SECRET": " "}, {"WEBHOOK_SECRET__SHOP_B": ""}):
        (told,) = wrong(**environ)

        assert told.startswith("WEBHOOK_SECRET is not set, and no WEBHOOK_SECRET__<SOURCE> either")


def test_a_previous_secret_needs_a_current_one() -> None:
    """Otherwise a typing error in a name leaves the old secret as the only one."""
    assert wrong(WEBHOOK_SECRET_PREVIOUS=BEFORE) == ["WEBHOOK_SECRET_PREVIOUS is set without a usable WEBHOOK_SECRET"]
    one_closed = {"WEBHOOK_SECRET": OURS, "WEBHOOK_SECRET_PREVIOUS__SHOP_B": THEIRS_BEFORE}
    assert told_of(**one_closed) == ["WEBHOOK_SECRET_PREVIOUS__SHOP_B is set without a usable WEBHOOK_SECRET__SHOP_B"]
    assert secrets(**one_closed) == {SecretName("default", "current"): OURS}


def test_two_shops_must_not_share_a_secret() -> None:
    """The secret says whose order it is; the previous one too."""
    sharing = {"WEBHOOK_SECRET": OURS, "WEBHOOK_SECRET__SHOP_B": THEIRS, "WEBHOOK_SECRET_PREVIOUS__SHOP_B": OURS}
    told = told_of(**sharing, WEBHOOK_SECRET__C=BEFORE)

    assert wrong(**sharing) == told
    assert secrets(**sharing, WEBHOOK_SECRET__C=BEFORE) == {SecretName("c", "current"): BEFORE}
    assert len(told) == 1
    assert told[0].startswith("WEBHOOK_SECRET_PREVIOUS__SHOP_B is also WEBHOOK_SECRET: ")
    assert OURS not in told[0]


def test_one_shop_may_have_one_secret_twice() -> None:
    """The first step of a rotation copies the current one into the previous."""
    assert len(secrets(WEBHOOK_SECRET=OURS, WEBHOOK_SECRET_PREVIOUS=OURS)) == 2


@pytest.mark.parametrize("suffix", ["", "DEFAULT", "shop_b", "SHOP-B", "_SHOP", "A" * 17, "É", "SHOP B", "../KEY"])
def test_a_name_that_is_no_shop_is_a_configuration_error(suffix: str) -> None:
    """The shop is a permanent part of the order's name; a guess would be one too."""
    name = f"WEBHOOK_SECRET__{suffix}"

    (told,) = told_of(WEBHOOK_SECRET=OURS, **{name: THEIRS})

    assert secrets(WEBHOOK_SECRET=OURS, **{name: THEIRS}) == {SecretName("default", "current"): OURS}
    assert told.startswith(f"{name} must end in the name of a shop")
    assert name not in secrets_of(IntakeSettings, {name: ""})


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("fifteen bytes!!", "is shorter than 16 bytes"),
        ("a secret with white space after it\n", "begins or ends with white space"),
        ("@Microsoft.KeyVault(VaultName=ballx;SecretName=WEBHOOK-SECRET)", "was not resolved"),
        ("sixteen bytes and more, not text \udcff", "is not UTF-8 text"),
        ("whsec_not!base64!at!all!", "begins with whsec_"),
        ('"a secret in quotes of a .env file"', "is wrapped in quotes"),
        ("'a secret in quotes of a shell'", "is wrapped in quotes"),
        ("\u201ca secret in quotes of a letter\u201d", "is wrapped in quotes"),
        ("\ufeffa secret from a file with a mark", "the invisible character U+FEFF ZERO WIDTH NO-BREAK SPACE"),
        ("a secret\u200b from a page in the web", "the invisible character U+200B ZERO WIDTH SPACE"),
        ("a secret\u00a0with another kind of space", "the invisible character U+00A0 NO-BREAK SPACE"),
        ("a secret\u2060\u202e that turns around", "the invisible character U+2060 WORD JOINER"),
        ("a secret in two\nlines", "the invisible character U+000A control character"),
        ("v1,whsec_" + base64.b64encode(bytes(24)).decode(), "the secret begins after the comma"),
        ("whsec_" + base64.b64encode(b"fifteen bytes!!").decode(), "begins with whsec_"),
    ],
)
@pytest.mark.parametrize("name", ["WEBHOOK_SECRET", "WEBHOOK_SECRET_PREVIOUS", "WEBHOOK_SECRET__SHOP_B"])
def test_a_secret_that_is_none_is_named_and_not_shown(name: str, secret: str, why: str) -> None:
    """Each of the shop's settings is held to the same; it closes this shop, and no other."""
    environ = {"WEBHOOK_SECRET": OURS, name: secret, "WEBHOOK_SECRET__ANOTHER": THEIRS}
    (told,) = told_of(**environ)

    open_ones = secrets(**environ)
    assert open_ones[SecretName("another", "current")] == THEIRS
    assert secret not in open_ones.values()
    assert told.startswith(f"{name} ")
    assert why in told
    assert secret.strip() not in told


def test_a_shop_whose_new_secret_is_malformed_is_closed_with_its_old_one() -> None:
    """Both settings are named, so that nobody looks for the fault in the old one."""
    environ = {"WEBHOOK_SECRET": OURS, "WEBHOOK_SECRET__SHOP_B": "short", "WEBHOOK_SECRET_PREVIOUS__SHOP_B": THEIRS}

    assert secrets(**environ) == {SecretName("default", "current"): OURS}
    assert [one.split(" ")[0] for one in told_of(**environ)] == [
        "WEBHOOK_SECRET__SHOP_B",
        "WEBHOOK_SECRET_PREVIOUS__SHOP_B",
    ]


def test_a_secret_may_hold_spaces_quotes_and_accents() -> None:
    """WooCommerce makes secrets of 50 printable characters, blanks and quotes among them."""
    for secret in ('it\'s "quoted" & <odd>', '"half a pair of quotes', "senha açaí com acentos"):
        assert secrets(WEBHOOK_SECRET=secret)[SecretName("default", "current")] == secret


def test_a_secret_of_standard_webhooks_is_accepted() -> None:
    """As its libraries make them: 24 random bytes and more, in base64."""
    secret = "whsec_" + base64.b64encode(bytes(range(24))).decode()

    assert secrets(WEBHOOK_SECRET=secret)[SecretName("default", "current")] == secret


def test_a_shop_is_looked_for_in_the_vault_when_a_setting_names_it() -> None:
    """An empty setting is enough, and both of its secrets are looked for."""
    assert secrets_of(IntakeSettings, {"WEBHOOK_SECRET__SHOP_B": "", "WEBHOOK_SECRET_PREVIOUS__C": ""}) == [
        "WEBHOOK_SECRET",
        "WEBHOOK_SECRET_PREVIOUS",
        "WEBHOOK_SECRET__C",
        "WEBHOOK_SECRET__SHOP_B",
        "WEBHOOK_SECRET_PREVIOUS__C",
        "WEBHOOK_SECRET_PREVIOUS__SHOP_B",
    ]


def test_a_shops_secret_that_could_not_be_read_is_named_with_the_rest() -> None:
    """Also when the setting itself is not in the environment, but looked for in the vault."""
    unresolved = {"WEBHOOK_SECRET_PREVIOUS__SHOP_B": "is disabled"}
    environ = {**OTHERS, "WEBHOOK_SECRET__SHOP_B": "short"}

    assert [str(one) for one in problems(IntakeSettings, environ, unresolved)] == [
        "WEBHOOK_SECRET__SHOP_B is shorter than 16 bytes: make one with `openssl rand -hex 32`",
        "WEBHOOK_SECRET_PREVIOUS__SHOP_B is disabled",
    ]
    elsewhere = read_group(IntakeSettings, {**environ, "WEBHOOK_SECRET": OURS}, unresolved)
    assert elsewhere.webhook.shop_secrets == {SecretName("default", "current"): OURS}


def test_the_secrets_of_shops_are_in_no_repr() -> None:
    """Families as little as single settings."""
    environ = {"WEBHOOK_SECRET": OURS, "WEBHOOK_SECRET_PREVIOUS": BEFORE, "WEBHOOK_SECRET__SHOP_B": THEIRS}
    shown = repr(read_group(IntakeSettings, {**OTHERS, **environ}))

    assert not [secret for secret in environ.values() if secret in shown]
