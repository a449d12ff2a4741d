"""What infra/ declares is what the code needs: settings, names, roles, scale. None of it is compiled here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from distributor import queue_names, resources
from distributor.settings import ALL, about, operations
from foundation.backup.keeping import KEPT_MS
from foundation.settings.groups import SettingsGroup
from foundation.settings.reading import problems
from foundation.settings.references import VaultItem, is_reference, parse_reference
from foundation.settings.storage import Storage, storage
from tests import bicep
from tests.bicep_deployment import ENVIRONMENT, deployment

PLATFORM = {
    "AzureWebJobsStorage__blobServiceUri",
    "AzureWebJobsStorage__queueServiceUri",
    "AzureWebJobsStorage__tableServiceUri",
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__clientId",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "AZURE_CLIENT_ID",
    *(f"BACKUP_STORAGE__{form}" for form in ("blobServiceUri", "tableServiceUri", "credential", "clientId")),
}
"""What the host and Azure's own libraries read, and the account that BACKUP_CONNECTION names. Source: https://learn.microsoft.com/azure/azure-functions/functions-app-settings"""
ENTERED = {
    "RPC_URL": "https://node.example",
    "OPERATOR_PK": "0x" + "11" * 32,
    "OPERATOR_PK_RETIRING": "0x" + "22" * 32,
    "WEBHOOK_SECRET": "a-secret-of-thirty-two-characters",
}
CLIENT = "99999999-2222-3333-4444-555555555555"
PARAMETERS = {
    "name": "func-ballx",
    "clientId": "11111111-2222-3333-4444-555555555555",
    "storageName": "stballx",
    "backupName": "bkballx",
    "vaultUri": "https://kv-ballx.vault.azure.net/",
    "insightsConnectionString": "InstrumentationKey=0",
    "chainId": 80002,
    "authorityAddress": "0x" + "aa" * 20,
    "tokenAddress": "0x" + "bb" * 20,
    "reserveAddress": "0x" + "cc" * 20,
    "ledgerId": "",
    "moreSettings": {},
    "moreSecrets": [],
    "operatorKeyId": "",
    "consoleClientId": "",
    **ENVIRONMENT,
}


def app_settings(**parameters: Any) -> dict[str, str]:
    """Return the settings the deployed app is given."""
    declared = bicep.module("app.bicep")
    names = {name: one["value"] for name, one in declared["variables"].items()}
    wanted = declared["resources"]["settings"]["config"]["properties"]
    return dict(bicep.value(wanted, {**names, **PARAMETERS, **parameters}))


def entered(settings: Mapping[str, str]) -> dict[str, str]:
    """Return *settings* as the app sees them: the platform has put the vault's secrets in place of references."""
    return {name: ENTERED[name] if is_reference(text) else text for name, text in settings.items()}


# The language -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", bicep.sources(), ids=lambda path: path.name)
def test_every_file_is_well_formed(path: Path) -> None:
    """No node of the syntax tree is an error or missing."""
    assert bicep.malformed(bicep.read(path)) == []


def test_a_malformed_file_is_noticed() -> None:
    """The check above can fail."""
    broken = bicep.read(bicep.INFRA / "vault.bicep").replace("enableSoftDelete: true", "enableSoftDelete true")

    assert bicep.malformed(broken) != []


@pytest.mark.parametrize("path", bicep.sources(), ids=lambda path: path.name)
def test_every_file_is_laid_out_as_the_formatter_does(path: Path) -> None:
    """As far as that can be seen here; the workflow has the formatter itself, and a difference is red there."""
    assert bicep.untidy(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("    enableSoftDelete: true\n", "      enableSoftDelete: true\n"),
        ("    enableSoftDelete: true\n", "\tenableSoftDelete: true\n"),
        ("    enableSoftDelete: true\n", "    enableSoftDelete: true \n"),
        ("    enableSoftDelete: true\n", "    enableSoftDelete: true\n\n\n"),
    ],
)
def test_another_layout_is_noticed(line: str, other: str) -> None:
    """One each, so that the test above can fail."""
    text = bicep.read(bicep.INFRA / "vault.bicep")
    assert line in text

    assert bicep.untidy(text.replace(line, other)) != []


@pytest.mark.parametrize("name", ["monitoring", "storage", "backup", "vault", "app", "alerts"])
def test_a_module_is_given_what_it_asks_for(name: str) -> None:
    """Each parameter of a module is passed, none is unknown, and each output that is used exists."""
    asked = bicep.module(f"{name}.bicep")
    given = bicep.module("main.bicep")["modules"][name]["config"]["params"]
    used = re.findall(rf"\b{name}\.outputs\.(\w+)", bicep.read(bicep.INFRA / "main.bicep"))

    assert set(given) == set(asked["parameters"])
    assert set(used) <= set(asked.get("outputs", {}))


@pytest.mark.parametrize("environment", ["test", "production"])
def test_a_parameter_file_sets_what_is_required(environment: str) -> None:
    """Nothing is asked for at the prompt, nothing is set that is not there, and no setting is invented."""
    asked = bicep.module("main.bicep")["parameters"]
    given = bicep.module(f"{environment}.bicepparam")["variables"]
    required = {name for name, one in asked.items() if one["default"] is None}
    more = given.get("moreSettings", {"value": {}})["value"]

    assert required <= set(given) <= set(asked)
    assert [name for name in more if name not in about() or about()[name].secret] == []


@pytest.mark.parametrize(("environment", "chain_id"), [("test", 80002), ("production", 137)])
def test_an_environment_is_on_its_chain(environment: str, chain_id: int) -> None:
    """A test system on Polygon would pay with real tokens."""
    assert bicep.module(f"{environment}.bicepparam")["variables"]["chainId"]["value"] == chain_id


# Settings -----------------------------------------------------------------------------------------


def test_every_app_setting_is_known_to_somebody() -> None:
    """A misspelt name would be ignored in silence."""
    settings = app_settings(operatorKeyId="https://kv-ballx.vault.azure.net/keys/operator")

    assert [name for name in settings if name not in about() and name not in PLATFORM] == []


@pytest.mark.parametrize("use", ALL)
@pytest.mark.parametrize("key_id", ["", "https://kv-ballx.vault.azure.net/keys/operator"])
def test_the_deployed_app_has_every_setting_it_needs(use: type[SettingsGroup], key_id: str) -> None:
    """With the vault's secrets entered nothing is missing or wrong, whichever way the operator signs."""
    assert problems(use, entered(app_settings(operatorKeyId=key_id)), {}) == []


def test_every_secret_is_a_reference_to_the_vault_and_nothing_else_is() -> None:
    """A person who may read the app's settings reads no secret."""
    settings = app_settings(moreSecrets=["OPERATOR_PK_RETIRING"])

    assert {name for name in settings if name in about() and about()[name].secret} == set(ENTERED)
    assert {name for name, text in settings.items() if is_reference(text)} == set(ENTERED)


def test_a_reference_names_the_secret_as_the_vault_does() -> None:
    """No underscore, and no version: a new version is taken up without a deployment."""
    places = {name: parse_reference(text) for name, text in app_settings().items() if is_reference(text)}

    assert places["OPERATOR_PK"] == VaultItem(vault_url="https://kv-ballx.vault.azure.net", name="OPERATOR-PK")
    assert {name: place.name for name, place in places.items()} == {name: name.replace("_", "-") for name in places}


def test_a_vault_key_takes_the_place_of_the_secret() -> None:
    """With both the app would not know which one signs, and pay nobody."""
    settings = app_settings(operatorKeyId="https://kv-ballx.vault.azure.net/keys/operator")

    assert "OPERATOR_PK" not in settings


def test_a_required_setting_cannot_be_replaced_by_a_further_one() -> None:
    """A literal key among the further settings would be a secret in plain sight."""
    settings = app_settings(moreSettings={"OPERATOR_PK": ENTERED["OPERATOR_PK"], "GAS_LIMIT": "400000"})

    assert is_reference(settings["OPERATOR_PK"])
    assert settings["GAS_LIMIT"] == "400000"


def test_the_ledger_is_reached_with_the_identity() -> None:
    """The same settings tell the host and the app, and both read the same account."""
    assert storage(app_settings(), "AzureWebJobsStorage") == Storage(
        table_endpoint="https://stballx.table.core.windows.net",
        queue_endpoint="https://stballx.queue.core.windows.net",
        blob_endpoint="https://stballx.blob.core.windows.net",
        credential="managedidentity",
        client_id=str(PARAMETERS["clientId"]),
    )


def test_the_backups_lie_in_another_account_and_go_after_seven_days() -> None:
    """Reached with the same identity; the rule takes what the app would delete, and its container is the app's."""
    kept = storage(app_settings(), "BACKUP_STORAGE")
    assert kept.blob_endpoint == "https://bkballx.blob.core.windows.net"
    assert not kept.is_the_same(storage(app_settings(), "AzureWebJobsStorage"))

    found = bicep.module("backup.bicep")
    (rule,) = found["resources"]["lifecycle"]["config"]["properties"]["policy"]["rules"]
    assert rule["definition"]["actions"]["baseBlob"]["delete"] == {"daysAfterCreationGreaterThan": "keptDays"}
    assert found["variables"]["keptDays"]["value"] * 86_400_000 == KEPT_MS
    assert rule["definition"]["filters"]["prefixMatch"] == [f"{resources.BACKUPS}/"]
    assert found["resources"]["backups"]["config"]["name"] == resources.BACKUPS


# Names --------------------------------------------------------------------------------------------


def test_the_tables_are_the_ones_the_app_opens() -> None:
    """Ledger and audit trail."""
    assert bicep.module("storage.bicep")["variables"]["tables"]["value"] == [
        operations.LEDGER_TABLE,
        operations.AUDIT_TABLE,
    ]


def test_the_queues_are_the_ones_the_functions_use() -> None:
    """With the host's poison queues."""
    wakes = [queue_names.DISTRIBUTIONS, queue_names.SETTLEMENTS]

    assert bicep.module("storage.bicep")["variables"]["queues"]["value"] == [
        name for wake in wakes for name in (wake, f"{wake}-poison")
    ]


# Security -----------------------------------------------------------------------------------------


def test_storage_knows_no_keys_and_no_strangers() -> None:
    """Every access is an identity with a role, over TLS 1.2 at least."""
    accounts = [body for kind, body in bicep.resources() if kind == "Microsoft.Storage/storageAccounts"]

    assert len(accounts) == 2
    for properties in (each["properties"] for each in accounts):
        assert properties["allowSharedKeyAccess"] is False
        assert properties["allowBlobPublicAccess"] is False
        assert properties["supportsHttpsTrafficOnly"] is True
        assert properties["minimumTlsVersion"] == "TLS1_2"


def test_the_vault_cannot_be_emptied_for_good() -> None:
    """Nobody can purge a key before 90 days are over, but in a test system; roles alone decide who reads."""
    properties = bicep.of_type("Microsoft.KeyVault/vaults")["properties"]

    kept, purged = ({"protected": each, "null": None} for each in (True, False))
    assert bicep.module("main.bicep")["parameters"]["protectVault"]["default"] is True
    assert "protectVault" not in bicep.module("production.bicepparam")["variables"]
    assert bicep.module("test.bicepparam")["variables"]["protectVault"]["value"] is False
    assert bicep.value(properties["enablePurgeProtection"], kept) is True
    assert bicep.value(properties["enablePurgeProtection"], purged) is None  # false is refused by Azure
    assert properties["enableSoftDelete"] is True
    assert [bicep.value(properties["softDeleteRetentionInDays"], each) for each in (kept, purged)] == [90, 7]
    assert properties["enableRbacAuthorization"] is True


def test_the_app_speaks_https_only() -> None:
    """TLS 1.2 at least, no FTP, and no password for a deployment."""
    properties = bicep.of_type("Microsoft.Web/sites")["properties"]
    passwords = [body for kind, body in bicep.resources() if kind.endswith("/basicPublishingCredentialsPolicies")]

    assert properties["httpsOnly"] is True
    assert properties["siteConfig"]["minTlsVersion"] == properties["siteConfig"]["scmMinTlsVersion"] == "1.2"
    assert properties["siteConfig"]["ftpsState"] == "Disabled"
    assert {(one["name"], one["properties"]["allow"]) for one in passwords} == {("ftp", False), ("scm", False)}


def test_references_are_resolved_as_the_apps_own_identity() -> None:
    """A user-assigned identity is asked for references only where the site says so."""
    site = bicep.of_type("Microsoft.Web/sites")

    assert site["properties"]["keyVaultReferenceIdentity"] == "identityId"
    assert site["identity"]["userAssignedIdentities"] == {"'${identityId}'": {}}


def test_settings_come_after_roles() -> None:
    """The first look into the vault, before the role, would leave the reference itself in the setting."""
    parameters = bicep.module("main.bicep")["modules"]["app"]["config"]["params"]

    assert "vault" in json.dumps(parameters["vaultUri"])
    configured = [body["name"] for kind, body in bicep.resources() if kind == "Microsoft.Web/sites/config"]
    assert configured == ["appsettings", "authsettingsV2"]


# Who signs in -------------------------------------------------------------------------------------


def sign_in(client: str) -> Mapping[str, Any]:
    """Return the platform's settings about who signs in."""
    (found,) = (each.body for each in deployment("production", consoleClientId=client) if each.symbol == "signIn")
    return dict(found["properties"])


def test_without_an_application_the_platform_signs_nobody_in() -> None:
    """It is said so, that a deployment turns off what one before had turned on; and the app reads no header."""
    properties = sign_in("")

    assert properties["platform"]["enabled"] is False
    assert properties["identityProviders"]["azureActiveDirectory"]["enabled"] is False
    assert [name for name in app_settings() if name.startswith("CONSOLE_ENTRA")] == []


def test_with_an_application_the_platform_and_the_app_agree() -> None:
    """One application of one tenant; the name in the configuration is that in the app's settings."""
    entra = sign_in(CLIENT)["identityProviders"]["azureActiveDirectory"]
    settings = app_settings(consoleClientId=CLIENT)

    assert sign_in(CLIENT)["platform"]["enabled"] is True
    assert entra["registration"] == {
        "clientId": settings["CONSOLE_ENTRA_CLIENT"],
        "openIdIssuer": f"https://login.microsoftonline.com/{settings['CONSOLE_ENTRA_TENANT']}/v2.0",
    }
    assert entra["validation"] == {"allowedAudiences": [CLIENT]}
    assert settings["CONSOLE_ENTRA"] == "1"


def test_every_door_but_the_consoles_stays_open() -> None:
    """A shop that is sent to a sign-in page loses its orders; a new route is here, or it is red."""
    validation = sign_in(CLIENT)["globalValidation"]
    open_paths = validation["excludedPaths"]
    sources = [path.read_text("utf-8") for path in (bicep.INFRA.parent / "distributor/functions").glob("*.py")]
    routes = {route for text in sources for route in re.findall(r'blueprint\.route\("([^"]+)"', text)}
    paths = {f"/{re.sub('{.*?}', 'x', route)}" for route in routes}
    closed = {path for path in paths if not any(fnmatchcase(path, each) for each in open_paths)}

    assert validation["requireAuthentication"] is True
    assert closed == {"/console/x"}
    assert [each for each in open_paths if fnmatchcase("/console", each) or fnmatchcase("/console/x", each)] == []
    assert {"/admin/*", "/runtime/*"} <= set(open_paths)  # the host's own, behind its own keys


# Scale --------------------------------------------------------------------------------------------


def test_http_is_kept_warm_and_takes_sixteen_at_once() -> None:
    """A shop gives up after five seconds; and Python's own concurrency is one request."""
    scale = bicep.of_type("Microsoft.Web/sites")["properties"]["functionAppConfig"]["scaleAndConcurrency"]
    warm = bicep.module("app.bicep")["variables"]["alwaysReady"]["value"]

    assert [
        bicep.value(scale["alwaysReady"], {"alwaysReadyHttp": number, "alwaysReady": warm}) for number in (0, 2)
    ] == [
        [],
        [{"name": "http", "instanceCount": 2}],
    ]
    assert warm == [{"name": "http", "instanceCount": "alwaysReadyHttp"}]
    assert bicep.module("main.bicep")["parameters"]["alwaysReadyHttp"]["default"] == 1
    assert scale["triggers"]["http"] == {"perInstanceConcurrency": 16}


@pytest.mark.parametrize("name", ["test.bicepparam", "production.bicepparam"])
def test_a_deployment_that_does_not_know_the_ledger_is_refused(name: str) -> None:
    """An empty LEDGER_ID would take the guard away that a person set: the first deployment says `none` out loud."""
    main = bicep.read(bicep.INFRA / "main.bicep")

    assert re.search(r"^param ledgerId string$", main, re.MULTILINE)  # no default
    assert "ledgerId: ledger\n" in main
    assert decided("ledger", ledgerId="none") == ""
    assert decided("ledger", ledgerId="f" * 32) == "f" * 32
    for unset in ("", "f" * 31):
        with pytest.raises(bicep.Refused, match="LEDGER_ID must be the id that init printed"):
            decided("ledger", ledgerId=unset)
    assert "readEnvironmentVariable('LEDGER_ID')\n" in bicep.read(bicep.INFRA / name)


@pytest.mark.parametrize("name", ["ballx", "ballx-test", "loja1", "a-b-c", "Ballx"])
def test_a_name_that_azure_takes_everywhere_is_taken(name: str) -> None:
    """Of the vault, the workspace, the account and the site that are made of it."""
    assert decided("system", name=name) == name


@pytest.mark.parametrize("name", ["shop-", "-shop", "a--b", "loja_1", "loja 1", "caf\u00e9s", "a.b"])
def test_a_name_that_azure_refuses_after_minutes_is_refused_at_once(name: str) -> None:
    """`shop-` gives a vault with two hyphens, `loja_1` a site that no DNS has; with words, before anything is made."""
    with pytest.raises(bicep.Refused, match="letters, digits and single hyphens"):
        decided("system", name=name)


def test_what_is_deployed_is_named_by_the_name_that_was_looked_at() -> None:
    """A use of the parameter itself would go round the check."""
    after = bicep.read(bicep.INFRA / "main.bicep").partition("resource identity")[2]

    assert not re.search(r"\$\{name[}\W]|: name$|\(name,", after, re.MULTILINE)


def decided(variable: str, **parameters: str) -> str:
    """Return what a variable of main.bicep comes to."""
    declared = bicep.module("main.bicep")["variables"]
    return str(bicep.value(variable, {**{name: one["value"] for name, one in declared.items()}, **parameters}))


# The linter ---------------------------------------------------------------------------------------


LINTER = """
    adminusername-should-not-be-literal artifacts-parameters decompiler-cleanup explicit-values-for-loc-params
    max-asserts max-outputs max-params max-resources max-variables nested-deployment-template-scoping
    no-conflicting-metadata no-deployments-resources no-hardcoded-env-urls no-hardcoded-location
    no-loc-expr-outside-params no-unnecessary-dependson no-unused-existing-resources no-unused-imports
    no-unused-params no-unused-vars outputs-should-not-contain-secrets prefer-interpolation
    prefer-unquoted-property-names protect-commandtoexecute-secrets secure-parameter-default
    secure-params-in-nested-deploy secure-secrets-in-params simplify-interpolation simplify-json-null
    use-parent-property use-recent-api-versions use-recent-module-versions use-resource-id-functions
    use-resource-symbol-reference use-safe-access use-secure-value-for-secure-inputs use-stable-resource-identifiers
    use-stable-vm-image use-user-defined-types what-if-short-circuiting
"""
"""
Rules of the linter, of Bicep 0.49: the compiler passes over a name that is not one of its rules.

Read in November 2026: https://github.com/Azure/bicep/blob/main/src/vscode-bicep/schemas/bicepconfig.schema.json
"""


def test_every_rule_of_the_linter_that_can_be_met_is_an_error() -> None:
    """The workflow runs it, and is red for a warning, too: that one rule is broken by time alone."""
    text = re.sub(r"^ *//.*$", "", (bicep.INFRA / "bicepconfig.json").read_text("utf-8"), flags=re.MULTILINE)
    levels = {name: rule["level"] for name, rule in json.loads(text)["analyzers"]["core"]["rules"].items()}

    assert set(levels) == set(LINTER.split())
    assert {name: level for name, level in levels.items() if level != "error"} == {
        "use-user-defined-types": "off",
        "use-recent-api-versions": "warning",
    }
