"""What infra/payflow/ deploys, computed whole: the settings are the app's, the roles the guide's, the alerts heard."""

from __future__ import annotations

import re
from typing import Any

import pytest

from devstack import paths
from foundation.settings.groups import SettingsGroup, settings_of
from foundation.settings.reading import problems
from foundation.settings.references import is_reference
from foundation.settings.storage import Storage, storage
from payflow import resources
from payflow.functions import bounces, connect, mail_events, office, workers
from payflow.sealing import new_key
from payflow.settings.all import GROUPS
from tests import bicep
from tests.bicep_deployment import PAYFLOW, PAYFLOW_SHELL, deployment, set_for
from tests.unit.test_deployment import granted, of, planted, unheard
from tests.unit.test_infra import PLATFORM

ENTERED = {
    "MASTER_KEY": new_key(),
    "CONTA_AZUL_CLIENT_SECRET": "of the application",
    "SMTP_PASSWORD": "an app password",
    "BOUNCE_SECRET": "whsec_" + "A" * 32,
}
SECOND = {f"SEND_LOG_STORAGE__{name}" for name in ("blobServiceUri", "tableServiceUri", "credential", "clientId")}
APP, LOG = (f"payflow/main/{name}.properties.principalId" for name in ("identity", "logIdentity"))
YOU = PAYFLOW_SHELL["OPERATORS_OBJECT_ID"]
GUIDES = {
    "deploy.md": ("the app", "the log's identity", "you", "ledger", "second account", "vault", "logs"),
    "deploy.pt-BR.md": ("o aplicativo", "a identidade do registro", "você", "livro", "segunda conta", "cofre", "logs"),
}
ROW = re.compile(r"^\| [A-Z][\w ]+ \| `([0-9a-f-]{36})` \| ([^|]+) \| ([^|]+) \|", re.MULTILINE)


def settings(environment: str = "payflow/production", **parameters: Any) -> dict[str, str]:
    """Return the settings the deployed app is given."""
    (found,) = of("Microsoft.Web/sites/config", deployment(environment, **parameters))
    return dict(found.body["properties"])


def seen(given: dict[str, str]) -> dict[str, str]:
    """Return *given* as the app sees it: the platform has put the vault's secrets in place of references."""
    known = {name: ENTERED[name] if is_reference(text) else text for name, text in given.items()}
    return {**known, "CONTA_AZUL_REDIRECT_URI": "https://p.example/oauth/callback"}


@pytest.mark.parametrize("environment", PAYFLOW)
@pytest.mark.parametrize("group", GROUPS)
def test_the_deployed_app_has_every_setting_it_needs(environment: str, group: type[SettingsGroup]) -> None:
    """With the vault's secrets entered nothing is missing or wrong."""
    assert problems(group, seen(settings(environment)), {}) == []


def test_every_app_setting_is_known_to_somebody() -> None:
    """A misspelt name would be ignored in silence; and each secret, and nothing else, is a reference to the vault."""
    given, known = settings(moreSecrets=["BOUNCE_SECRET"]), settings_of(GROUPS)

    assert [name for name in given if name not in known and name not in PLATFORM | SECOND] == []
    assert {name for name, text in given.items() if is_reference(text)} == set(ENTERED)
    assert {name for name in given if name in known and known[name].secret} == set(ENTERED)
    ends = {name: given[name].rpartition("secrets/")[2] for name in ENTERED}
    assert ends == {name: f"{name.replace('_', '-')})" for name in ENTERED}


def test_a_password_is_asked_for_only_where_one_signs_in() -> None:
    """By the service, or with the app's identity, there is none; nothing of more settings replaces what is required."""
    more = {"MAIL": "acs", "ACS_ENDPOINT": "https://x.communication.azure.com", "ENVIRONMENT": "staging"}
    given = settings(smtpPassword=False, smtpHost="", smtpUser="", moreSettings=more)

    assert "SMTP_PASSWORD" not in given
    assert given["ENVIRONMENT"] == "production"
    assert [each for group in GROUPS for each in problems(group, seen(given), {})] == []


def test_clinics_come_back_to_the_apps_own_address_or_to_yours() -> None:
    """What Conta Azul compares to the byte."""
    assert settings()["CONTA_AZUL_REDIRECT_URI"] == "https://payflow/app/app.properties.defaultHostName/oauth/callback"
    own = "https://recibos.example.com/oauth/callback"
    shell = {**PAYFLOW_SHELL, "CONTA_AZUL_REDIRECT_URI": own}
    (found,) = of("Microsoft.Web/sites/config", deployment("payflow/production", shell))
    assert found.body["properties"]["CONTA_AZUL_REDIRECT_URI"] == own


def test_the_two_accounts_are_two_and_each_is_reached_with_its_identity() -> None:
    """As the app reads the settings: no account of the distributor's, and the log's by an identity of its own."""
    names = [each.body["name"] for each in of("Microsoft.Storage/storageAccounts", deployment("payflow/production"))]
    theirs = [each.body["name"] for each in of("Microsoft.Storage/storageAccounts", deployment("production"))]
    found = [storage(settings(), prefix) for prefix in ("AzureWebJobsStorage", "SEND_LOG_STORAGE")]

    assert len({*names, *theirs}) == 4
    assert found == [
        Storage(
            table_endpoint=f"https://payflow/{module}/account.name.table.core.windows.net",
            queue_endpoint=f"https://payflow/{module}/account.name.queue.core.windows.net",
            blob_endpoint=f"https://payflow/{module}/account.name.blob.core.windows.net",
            credential="managedidentity",
            client_id=f"payflow/main/{who}.properties.clientId",
        )
        for module, who in (("ledger", "identity"), ("second", "logIdentity"))
    ]


def test_tables_and_queues_are_the_ones_the_app_opens() -> None:
    """With the audit trails and the host's poison queues."""
    deployed = deployment("payflow/production")
    tables = [each.body["name"] for each in of("Microsoft.Storage/storageAccounts/tableServices/tables", deployed)]
    queues = [each.body["name"] for each in of("Microsoft.Storage/storageAccounts/queueServices/queues", deployed)]

    both = (resources.LEDGER_TABLE, resources.SECOND_TABLE)
    assert tables == [name for table in both for name in (table, f"{table}audit")]
    assert queues == [name for wake in (workers.LANES, workers.OFFICE) for name in (wake, f"{wake}-poison")]


def test_zones_are_the_default_and_a_second_region_is_a_choice() -> None:
    """G07: GRS and RA-GRS are offered by a setting; a test system may be thrown away."""
    grs = {**PAYFLOW_SHELL, "STORAGE_SKU": "Standard_RAGRS"}
    for environment, shell, sku, zones in (
        ("payflow/production", PAYFLOW_SHELL, "Standard_ZRS", True),
        ("payflow/production", grs, "Standard_RAGRS", True),
        ("payflow/test", set_for("payflow/test"), "Standard_LRS", False),
    ):
        deployed = deployment(environment, shell)
        accounts = of("Microsoft.Storage/storageAccounts", deployed)
        (plan,) = of("Microsoft.Web/serverfarms", deployed)
        assert [each.body["sku"]["name"] for each in accounts] == [sku, sku]
        assert plan.body["properties"]["zoneRedundant"] is zones
        assert len(of("Microsoft.Authorization/locks", deployed)) == 2 * zones
    with pytest.raises(bicep.Refused):
        deployment("payflow/production", {**PAYFLOW_SHELL, "STORAGE_SKU": "Premium_LRS"})


@pytest.mark.parametrize("environment", PAYFLOW)
def test_an_empty_text_is_refused_before_anything_is_made(environment: str) -> None:
    """As GitHub gives for a variable that nobody set; one that may be empty is not."""
    given = set_for(environment)
    for name in sorted(given.keys() - {"SMTP_USER"}):
        with pytest.raises(bicep.Refused):
            deployment(environment, {**given, name: ""})


def test_the_override_is_for_everything_but_production() -> None:
    """Without one a test system would mail payers; with one production would mail none."""
    with pytest.raises(bicep.Refused, match="OVERRIDE_RECIPIENT_EMAIL must be set outside production"):
        deployment("payflow/test", PAYFLOW_SHELL | {"OVERRIDE_RECIPIENT_EMAIL": ""})
    with pytest.raises(bicep.Refused, match="OVERRIDE_RECIPIENT_EMAIL must be set outside production"):
        deployment("payflow/production", PAYFLOW_SHELL | {"OVERRIDE_RECIPIENT_EMAIL": "a@b.example"})


@pytest.mark.parametrize("guide", GUIDES)
@pytest.mark.parametrize("environment", PAYFLOW)
def test_nobody_may_do_more_or_less_than_the_guide_says(environment: str, guide: str) -> None:
    """Principal, scope and role; nobody has a role in the whole group, and the ledger's identity none in the log."""
    app, log, you, *places = GUIDES[guide]
    who = {app: APP, log: LOG, you: YOU}
    where = dict(zip(places, ("payflow/ledger/account", "payflow/second/account", "vault/vault", "monitoring/insights"),
                     strict=True))  # fmt: skip
    text = (paths.ROOT / "docs" / "payflow" / guide).read_text("utf-8")
    said = {(who[each], where[on], role) for role, on, whom in ROW.findall(text) for each in whom.split(", ")}
    roles = granted(deployment(environment))

    assert {(principal, scope, role) for principal, _, scope, role in roles} == said
    assert len(roles) == len(said)
    assert (APP, "payflow/second/account") not in {(principal, scope) for principal, _, scope, _ in roles}


@pytest.mark.parametrize("environment", PAYFLOW)
def test_every_alert_reaches_a_person(environment: str) -> None:
    """From the app's line to an address."""
    deployed = deployment(environment)
    assert list(unheard(deployed)) == []
    assert len(of("Microsoft.Insights/scheduledQueryRules", deployed)) == 2


@pytest.mark.parametrize(
    ("file", "line", "other", "told"),
    [
        ("payflow/alerts.bicep", "threshold: 0", "threshold: 5", "one row is not enough"),
        ("payflow/alerts.bicep", "emailAddress: email", "emailAddress: 'x@example.com'", "somebody else"),
        ("payflow/app.bicep", "insightsConnectionString\n  APP", "vaultUri\n  APP", "does not write to"),
    ],
)
def test_an_alert_that_reaches_nobody_is_noticed(file: str, line: str, other: str, told: str) -> None:
    """So that the test above can fail."""
    with planted(file, line, other):
        assert any(told in why for why in unheard(deployment("payflow/production")))


def test_the_alerts_name_functions() -> None:
    """A function that is renamed would never be missed."""
    text = bicep.read(bicep.INFRA / "payflow" / "alerts.bicep")
    handlers = (connect.connect, connect.oauth_callback, office.office, bounces.bounces, mail_events.mail_events)

    assert f'Name == "{workers.wake_lanes._function.get_function_name()}"' in text
    names = ", ".join(f'"{each._function.get_function_name()}"' for each in handlers)
    assert f"Name in ({names})" in text


def test_storage_and_site_are_closed_as_the_distributors_are() -> None:
    """No shared keys, no public blobs, TLS 1.2, no password for a deployment; references by the app's own identity."""
    deployed = deployment("payflow/test")
    for account in of("Microsoft.Storage/storageAccounts", deployed):
        properties = account.body["properties"]
        assert properties["allowSharedKeyAccess"] is properties["allowBlobPublicAccess"] is False
        assert (properties["supportsHttpsTrafficOnly"], properties["minimumTlsVersion"]) == (True, "TLS1_2")
    (site,) = of("Microsoft.Web/sites", deployed)
    assert site.body["properties"]["httpsOnly"] is True
    assert site.body["properties"]["keyVaultReferenceIdentity"] == "payflow/main/identity.id"
    assert set(site.body["identity"]["userAssignedIdentities"]) == {
        "payflow/main/identity.id",
        "payflow/main/logIdentity.id",
    }
    passwords = of("Microsoft.Web/sites/basicPublishingCredentialsPolicies", deployed)
    assert [each.body["properties"]["allow"] for each in passwords] == [False, False]


@pytest.mark.parametrize("name", ["shop-", "-shop", "a--b", "loja_1"])
def test_a_name_that_azure_refuses_after_minutes_is_refused_at_once(name: str) -> None:
    """With words."""
    with pytest.raises(bicep.Refused, match="letters, digits and single hyphens"):
        deployment("payflow/test", name=name)
    assert max(len(each.body["name"]) for each in deployment("payflow/test") if "Vault" in each.kind) <= 24


@pytest.mark.parametrize("module", ["monitoring", "ledger", "second", "vault", "app", "alerts"])
def test_a_module_is_given_what_it_asks_for(module: str) -> None:
    """Each parameter is passed, none is unknown, and each output that is used exists."""
    one = bicep.module("payflow/main.bicep")["modules"][module]
    path = (bicep.INFRA / "payflow" / one["detail"]["path"]).resolve().relative_to(bicep.INFRA.resolve())
    asked = bicep.module(path.as_posix())
    used = re.findall(rf"\b{module}\.outputs\.(\w+)", bicep.read(bicep.INFRA / "payflow" / "main.bicep"))

    assert set(one["config"]["params"]) == set(asked["parameters"])
    assert set(used) <= set(asked.get("outputs", {}))
