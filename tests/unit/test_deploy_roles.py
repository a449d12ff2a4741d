"""Who deploys may do all that is deployed: the roles the guide gives, against every resource type of infra/."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from devstack import paths
from tests import bicep

GUIDES = [paths.ROOT / "docs" / "deploy.md", paths.ROOT / "docs" / "pt-BR" / "deploy.md"]
ROLES = {
    "Owner": (["*"], []),
    "Contributor": (
        ["*"],
        [
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
            "Microsoft.Blueprint/blueprintAssignments/write",
            "Microsoft.Blueprint/blueprintAssignments/delete",
            "Microsoft.Compute/galleries/share/action",
            "Microsoft.Purview/consents/write",
            "Microsoft.Purview/consents/delete",
            "Microsoft.Resources/deploymentStacks/manageDenySetting/action",
        ],
    ),
    "Role Based Access Control Administrator": (
        [
            "Microsoft.Authorization/roleAssignments/write",
            "Microsoft.Authorization/roleAssignments/delete",
            "*/read",
            "Microsoft.Support/*",
        ],
        [],
    ),
}
"""
Actions and what is taken out of them, of learn.microsoft.com/azure/role-based-access-control/built-in-roles/privileged
(read in November 2026). A role's `notActions` take from that role alone.
"""
EXTRA = {"Microsoft.Resources/deployments/write", "Microsoft.Resources/deployments/validate/action"}
"""What a deployment does itself."""


def needed() -> set[str]:
    """The action that makes each resource type; a child's is named after its parent."""
    return {f"{kind}/write" for kind, _ in bicep.resources()} | EXTRA


def allows(role: tuple[list[str], list[str]], action: str) -> bool:
    """Say whether one role allows an action; Azure compares without regard to case."""
    given, taken = ([pattern.lower() for pattern in patterns] for patterns in role)
    return any(fnmatchcase(action.lower(), each) for each in given) and not any(
        fnmatchcase(action.lower(), each) for each in taken
    )


def refused(roles: list[tuple[list[str], list[str]]]) -> set[str]:
    """Return what nobody with these roles may do."""
    return {action for action in needed() if not any(allows(role, action) for role in roles)}


def made(guide: str) -> dict[str, tuple[list[str], list[str]]]:
    """The roles that the guide itself defines."""
    texts = re.findall(r"--role-definition '(\{.*?\})'$", guide, re.MULTILINE | re.DOTALL)
    found = [json.loads(re.sub(r"'\"\$\w+\"'", "/scope", text)) for text in texts]
    return {each["Name"]: (each["Actions"], each.get("NotActions", [])) for each in found}


@pytest.mark.parametrize("path", GUIDES, ids=["en", "pt-BR"])
def test_the_roles_given_to_github_suffice(path: Path) -> None:
    """A first deployment of production was refused half way: Contributor may not create the lock."""
    guide = path.read_text("utf-8")
    section = re.split(r"^## ", guide, flags=re.MULTILINE)
    github = next(text for text in section if "id-deploy" in text)
    given = {quoted or plain for quoted, plain in re.findall(r'--role (?:"([^"]+)"|(\w+))', github)} - {"AcrPush"}
    known = {**ROLES, **made(guide)}

    assert refused([known[role] for role in given]) == set()


def test_without_the_third_role_the_lock_is_refused() -> None:
    """So that the test above can fail."""
    assert refused([ROLES["Contributor"], ROLES["Role Based Access Control Administrator"]]) == {
        "Microsoft.Authorization/locks/write"
    }
    assert refused([ROLES["Contributor"]]) == {
        "Microsoft.Authorization/locks/write",
        "Microsoft.Authorization/roleAssignments/write",
    }


def test_the_person_the_guide_asks_for_may_do_it_all() -> None:
    """Owner, as the table at its beginning says."""
    assert refused([ROLES["Owner"]]) == set()
    assert all("**Owner**" in path.read_text("utf-8") for path in GUIDES)
