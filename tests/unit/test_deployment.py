"""What infra/ deploys, computed whole: what is made, who may do what to it, and which people an alert reaches."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pycep import BicepParser

from devstack import paths
from tests import bicep
from tests.bicep_deployment import ENVIRONMENTS, FILES, SHELL, Resource, deployment, file_of, kept

GUIDES = {
    paths.ROOT / "docs" / "deploy.md": ("the app", "you", "storage", "backups", "vault", "logs"),
    paths.ROOT / "docs" / "pt-BR" / "deploy.md": ("o aplicativo", "você", "armazenamento", "cópias", "cofre", "logs"),
}
"""Who and where, as each language of the guide calls them."""
ROW = re.compile(r"^\| [A-Z][\w ]+ \| `([0-9a-f-]{36})` \| ([^|]+) \| ([^|]+) \|", re.MULTILINE)
APP, OPERATORS = "main/identity.properties.principalId", SHELL["OPERATORS_OBJECT_ID"]
PLACES = ("storage/account", "backup/account", "vault/vault", "monitoring/insights")
KEY = "https://kv-ballx.vault.azure.net/keys/operator"


def of(kind: str, deployed: Sequence[Resource]) -> list[Resource]:
    """Return the resources of a type."""
    return [each for each in deployed if each.kind.partition("@")[0] == kind]


def granted(deployed: Sequence[Resource]) -> list[tuple[str, str, str, str]]:
    """Return who may do what: principal, its type, scope, role."""
    return sorted(
        (
            each.body["properties"]["principalId"],
            each.body["properties"]["principalType"],
            each.scope,
            each.body["properties"]["roleDefinitionId"].rpartition("/")[2],
        )
        for each in of("Microsoft.Authorization/roleAssignments", deployed)
    )


def written(guide: Path) -> set[tuple[str, str, str]]:
    """Return who may do what, as the guide's table has it: principal, scope, role."""
    app, you, *places = GUIDES[guide]
    principals, scopes = {app: APP, you: OPERATORS}, dict(zip(places, PLACES, strict=True))
    return {
        (principals[who], scopes[where], role)
        for role, where, whom in ROW.findall(guide.read_text("utf-8"))
        for who in whom.split(", ")
    }


def minutes(duration: str) -> timedelta:
    """Read a duration as Azure writes it here."""
    return timedelta(minutes=int(duration.removeprefix("PT").removesuffix("M")))


def unheard(deployed: Sequence[Resource]) -> Iterator[str]:
    """Yield why a line of the log might reach nobody's mail."""
    (workspace,), (insights,), (settings, *_sign_in) = (
        of(kind, deployed)
        for kind in (
            "Microsoft.OperationalInsights/workspaces",
            "Microsoft.Insights/components",
            "Microsoft.Web/sites/config",
        )
    )
    sent_to = settings.body["properties"]["APPLICATIONINSIGHTS_CONNECTION_STRING"]
    if sent_to != f"{insights.module}/{insights.symbol}.properties.ConnectionString":
        yield "the app does not write to Application Insights"
    kept_in = f"{workspace.module}/{workspace.symbol}.id"
    if insights.body["properties"]["WorkspaceResourceId"] != kept_in:
        yield "what the app writes is kept elsewhere"
    people = {
        f"{each.module}/{each.symbol}.id": each.body["properties"]
        for each in of("Microsoft.Insights/actionGroups", deployed)
    }
    for rule in of("Microsoft.Insights/scheduledQueryRules", deployed):
        name, properties = rule.body["name"], rule.body["properties"]
        if properties["scopes"] != [kept_in]:
            yield f"{name} looks into another workspace"
        yield from (f"{name}: {why}" for why in _silent(properties))
        yield from (f"{name}: {why}" for why in _mailed(properties, people))


def _silent(rule: dict[str, Any]) -> Iterator[str]:
    """Yield why a rule might not fire for the first row of its query."""
    if rule["enabled"] is not True:
        yield "it is off"
    if rule.keys() & {"muteActionsDuration", "checkWorkspaceAlertsStorageConfigured", "overrideQueryTimeRange"}:
        yield "it is muted, or looks at another time"
    every, back = minutes(rule["evaluationFrequency"]), minutes(rule["windowSize"])
    if every > timedelta(minutes=5):
        yield "it looks seldom"
    if back < every + timedelta(minutes=5):
        yield "a line that arrives late falls between two looks"
    (criterion,) = rule["criteria"]["allOf"]
    fires = (criterion["timeAggregation"], criterion["operator"], criterion["threshold"])
    if fires != ("Count", "GreaterThan", 0) or set(criterion["failingPeriods"].values()) != {1}:
        yield "one row is not enough"
    if any(each["operator"] != "Include" or each["values"] != ["*"] for each in criterion["dimensions"]):
        yield "some rows are left out"
    if [each["name"] for each in criterion["dimensions"]] != ["code", "subject"]:
        yield "a second order is the same alert"


def _mailed(rule: dict[str, Any], people: dict[str, Any]) -> Iterator[str]:
    told = rule["actions"]["actionGroups"]
    groups = [people[each] for each in told if each in people]
    if not told or len(groups) < len(told):
        yield "its group is none that is deployed"
    addresses = [to["emailAddress"] for group in groups if group["enabled"] is True for to in group["emailReceivers"]]
    if addresses != [SHELL["ALERT_EMAIL"]]:
        yield "it mails nobody, or somebody else"


@pytest.mark.parametrize("name", FILES)
def test_what_is_deployed_is_what_was_looked_at(name: str) -> None:
    """Every value of every resource. After a change: ``python -m tests.bicep_deployment``, and read the difference."""
    assert kept(name) == file_of(name).read_text("utf-8")


@pytest.mark.parametrize("name", sorted(SHELL))
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_empty_text_is_refused_before_anything_is_made(environment: str, name: str) -> None:
    """As GitHub gives for a variable that nobody set: alerts would mail nobody, roles be given to nobody."""
    with pytest.raises(bicep.Refused):
        deployment(environment, {**SHELL, name: ""})


def test_no_storage_is_offered_whose_copy_lags() -> None:
    """A failover to a second region would take the ledger back some minutes, and it would pay again."""
    asked = {
        each["type"]: each.get("argument")
        for each in bicep.module("main.bicep")["parameters"]["storageSku"]["decorators"]
    }

    assert set(asked["allowed"]) == {"Standard_LRS", "Standard_ZRS"}
    assert [each.body["sku"]["name"] for each in of("Microsoft.Storage/storageAccounts", deployment("production"))] == [
        "Standard_ZRS",
        "Standard_ZRS",
    ]


def test_as_many_resources_as_the_compiler_finds() -> None:
    """
    Bicep 0.49.2 evaluated 37 and 36 where there were six rules, one role less, and no sign-in; two rules are left.

    Besides, the account of the backups has six resources, and a lock.

    The guide says how many the test system has.
    """
    numbers = {environment: len(deployment(environment)) for environment in ENVIRONMENTS}

    assert numbers == {"production": 37 - 4 + 2 + 7, "test": 36 - 4 + 2 + 6}
    assert f"about {numbers['test']} resources" in (paths.ROOT / "docs" / "deploy.md").read_text("utf-8")


@pytest.mark.parametrize("guide", GUIDES, ids=["en", "pt-BR"])
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_nobody_may_do_more_or_less_than_the_guide_says(environment: str, guide: Path) -> None:
    """Principal, scope and role, of both ways to sign; nobody has a role in the whole group."""
    plain, signing = (granted(deployment(environment, operatorKeyId=key)) for key in ("", KEY))

    assert {(who, where, role) for who, _, where, role in signing} == written(guide)
    assert [each for each in signing if each not in plain] == [
        (APP, "ServicePrincipal", "vault/vault", "12338af0-0e69-4776-bea7-57ae8d297424")
    ]
    assert len(plain) == len(signing) - 1 == len(set(plain))


@pytest.mark.parametrize(("kind", "shell"), [("Group", {}), ("User", {"OPERATORS_TYPE": "User"})])
def test_operators_are_of_the_type_that_is_said(kind: str, shell: dict[str, str]) -> None:
    """Azure refuses an assignment whose type is another than the principal's."""
    types = {who: how for who, how, _, _ in granted(deployment("production", {**SHELL, **shell}))}

    assert types == {APP: "ServicePrincipal", OPERATORS: kind}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_alert_reaches_a_person(environment: str) -> None:
    """From the app's line to an address: Application Insights, workspace, rule, group."""
    deployed = deployment(environment)

    assert list(unheard(deployed)) == []
    assert len(of("Microsoft.Insights/scheduledQueryRules", deployed)) == 2


PLANTS = [
    ("alerts.bicep", "      enabled: true\n      scopes", "      enabled: false\n      scopes", "it is off"),
    ("alerts.bicep", "    enabled: true\n    groupShortName", "    enabled: false\n    groupShortName", "mails nobody"),
    ("alerts.bicep", "emailAddress: email", "emailAddress: 'somebody@example.com'", "somebody else"),
    ("alerts.bicep", "          people.id\n", "", "group is none"),
    ("alerts.bicep", "threshold: 0", "threshold: 5", "one row is not enough"),
    ("alerts.bicep", "minFailingPeriodsToAlert: 1", "minFailingPeriodsToAlert: 2", "one row is not enough"),
    ("alerts.bicep", "operator: 'GreaterThan'", "operator: 'LessThan'", "one row is not enough"),
    ("alerts.bicep", "timeAggregation: 'Count'", "timeAggregation: 'Average'", "one row is not enough"),
    ("alerts.bicep", "windowSize: 'PT10M'", "windowSize: 'PT5M'", "falls between two looks"),
    ("alerts.bicep", "evaluationFrequency: 'PT5M'", "evaluationFrequency: 'PT30M'", "looks seldom"),
    ("alerts.bicep", "autoMitigate:", "muteActionsDuration: 'PT10M'\n      autoMitigate:", "muted"),
    ("alerts.bicep", "name: 'subject'", "name: 'summary'", "second order"),
    ("alerts.bicep", "operator: 'Include'", "operator: 'Exclude'", "left out"),
    ("alerts.bicep", "        workspaceId\n", "        email\n", "another workspace"),
    ("monitoring.bicep", "WorkspaceResourceId: workspace.id", "WorkspaceResourceId: 'another'", "kept elsewhere"),
    ("app.bicep", "insightsConnectionString\n  APP", "vaultUri\n  APP", "does not write to"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "line", "other", "told"), PLANTS)
def test_an_alert_that_reaches_nobody_is_noticed(file: str, line: str, other: str, told: str) -> None:
    """One line each, so that the test above can fail."""
    with planted(file, line, other):
        assert any(told in why for why in unheard(deployment("production")))


@pytest.mark.parametrize(
    ("file", "line", "other"),
    [
        ("storage.bicep", ", roles.tableDataContributor]\n\nvar tables", "]\n\nvar tables"),
        ("storage.bicep", "[roles.blobDataOwner, roles.queue", "[roles.queue"),
        ("storage.bicep", "in [roles.tableDataContributor, roles.queueDataContributor]", "in appRoles"),
        ("storage.bicep", "      principalId: operatorsObjectId\n", "      principalId: principalId\n"),
        ("storage.bicep", "scope: account\n    name: guid(account.id, operators", "name: guid(account.id, operators"),
        ("vault.bicep", "roleDefinitions', roles.secretsUser", "roleDefinitions', roles.secretsOfficer"),
        ("vault.bicep", "= if (keySigns) {", "= if (protected) {"),
        ("monitoring.bicep", "roleDefinitions', roles.monitoringMetricsPublisher", "roleDefinitions', '00000000'"),
    ],
)
def test_a_role_that_is_not_as_the_guide_says_is_noticed(file: str, line: str, other: str) -> None:
    """Too little, too much, another principal, the whole group for a scope."""
    with planted(file, line, other):
        plain, signing = (granted(deployment("test", operatorKeyId=key)) for key in ("", KEY))
    (guide, _) = GUIDES

    assert {(who, where, role) for who, _, where, role in signing} != written(guide) or len(signing) - len(plain) != 1


@contextmanager
def planted(file: str, line: str, other: str) -> Iterator[None]:
    """Put *other* in the place of *line* in a file of infra/, for what is computed inside."""
    text = bicep.read(bicep.INFRA / file)
    assert line in text
    wrong = dict(BicepParser().parse(text=text.replace(line, other)))
    module = bicep.module
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bicep, "module", lambda name: wrong if name == file else module(name))
        yield
