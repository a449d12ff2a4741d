"""docs/deploy.md leads somebody who has an empty subscription to the end, and a second time: what must stand in it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from tests import bicep
from tests.unit.test_deploy_docs import FENCE, paper, shell

__all__ = ["paper"]

ALWAYS_THERE = {"Microsoft.Authorization", "Microsoft.Resources"}
"""
A subscription knows them from its beginning.

Source: https://learn.microsoft.com/azure/azure-resource-manager/management/resource-providers-and-types
"""
BY_COMMAND = {"az acr ": "Microsoft.ContainerRegistry", "az container ": "Microsoft.ContainerInstance"}
LEADS_THROUGH: Mapping[str, tuple[str, ...]] = {
    "an empty subscription": ("az group create", "az provider register --namespace", "az provider show --namespace"),
    "a region that has the plan": ("az functionapp list-flexconsumption-locations",),
    "a look before anything is made": ("az deployment group what-if",),
    "a person, and a group": ("az ad signed-in-user show", "export OPERATORS_TYPE=Group", "az ad group show --group"),
    "both ways of uploading": ("az functionapp deploy", "'Content-Type: application/zip'", "publish?RemoteBuild=false"),
    "functions by name, and the version": ("az functionapp function list", "grep -i x-version"),
    "secrets that the platform reads": ("config/configreferences/appsettings", "appsettings/refresh"),
    "a budget": ("Microsoft.Consumption/budgets/ballx", "contactEmails"),
    "a domain": ("customDomainVerificationId", "az functionapp config hostname add"),
    "a second time": ("az group delete", "az keyvault list-deleted", "az keyvault purge", "az keyvault recover"),
    "azd": ("azd env new", "azd up"),
    "a container with TLS before it": ("az container create --resource-group", "tls.crt", "/etc/nginx"),
}  # fmt: skip
SAID = {
    "probes": ("HTTP/1.1", "`Host`", "HTTP/1.0"),
    "the first minutes of a role": ("403", "`Forbidden`"),
    "quotas": ("`SubscriptionIsOverQuotaForSku`", "*Subscriptions → Usage + quotas*"),
    "a principal of another type": ("`UnmatchedPrincipalType`", "`OPERATORS_TYPE`"),
    "a vault that was deleted": ("`VaultAlreadyExists`",),
    "the other Pythons": ("3.11", "3.14", "coincurve"),
}
SHOWS = re.compile(
    r"^```text$|Looks like|looks like|Nothing more is printed|Parece com|Nada mais é impresso", re.MULTILINE
)


def registered(text: str) -> set[str]:
    """Return the providers that the reader registers."""
    lists = re.findall(r"^for PROVIDER in ((?:.*\\\n)*.*?); do", text, re.MULTILINE)
    return {name for each in lists for name in each.replace("\\\n", " ").split()}


def test_every_provider_that_is_used_is_registered(paper: str) -> None:
    """Of infra/, of addresses and of commands: MissingSubscriptionRegistration comes in the middle of a step."""
    text = shell(paper)
    used = {kind.partition("/")[0] for kind, _ in bicep.resources()}
    used.update(re.findall(r"/providers/(Microsoft\.\w+)/", text))
    used.update(provider for command, provider in BY_COMMAND.items() if command in text)

    assert registered(text) == used - ALWAYS_THERE


@pytest.mark.parametrize("what", LEADS_THROUGH)
def test_the_guide_leads_through(paper: str, what: str) -> None:
    """By its commands, which other tests give to the real command line."""
    assert [command for command in LEADS_THROUGH[what] if command not in shell(paper)] == []


@pytest.mark.parametrize("what", SAID)
def test_the_guide_says(paper: str, what: str) -> None:
    """In its sentences and tables."""
    sentences = FENCE.sub("", paper)

    assert [word for word in SAID[what] if word not in sentences] == []


def test_each_step_shows_what_it_prints(paper: str) -> None:
    """A reader who sees something else stops there, and not three steps later."""
    steps = re.split(r"^## (?=\d+\.)", paper, flags=re.MULTILINE)[1:]
    last, *_ = re.split(r"^## ", steps[-1], flags=re.MULTILINE)

    assert len(steps) == 9
    assert [step.splitlines()[0] for step in [*steps[:-1], last] if not SHOWS.search(step)] == []


@pytest.mark.parametrize(
    "line", ["Microsoft.OperationalInsights", "Microsoft.Consumption", "Microsoft.ContainerInstance"]
)
def test_a_provider_that_is_missing_is_noticed(paper: str, line: str) -> None:
    """So that the test above can fail."""
    assert line not in registered(shell(paper).replace(f" {line}", "", 1))
