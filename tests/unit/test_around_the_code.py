"""What people and tools expect beside the code: each file says what is true, so that none rots."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from devstack import paths
from devstack.command import DEPLOYED, _parse

ROOT = paths.ROOT
VSCODE = ROOT / ".vscode"
ISSUES = ROOT / ".github" / "ISSUE_TEMPLATE"
DEVSTACK = re.compile(r"python3 -m devstack (.*)")


def document(path: Path) -> Any:
    """Read JSON or YAML."""
    text = path.read_text("utf-8")
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


@pytest.mark.parametrize(
    ("schema", "paths_of"),
    [
        ("vendor.dependabot", [ROOT / ".github" / "dependabot.yml"]),
        ("vendor.github-issue-config", [ISSUES / "config.yml"]),
        ("vendor.github-issue-forms", [ISSUES / "fault.yml", ISSUES / "wish.yml"]),
    ],
)
def test_github_can_read_its_files(schema: str, paths_of: list[Path]) -> None:
    """By the schemas that come with check-jsonschema; a misspelt key would be passed over without a word."""
    tool = Path(sys.executable).with_name("check-jsonschema")
    ended = subprocess.run([tool, "--builtin-schema", schema, *paths_of], capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout
    assert {path.name for path in ISSUES.iterdir()} == {"config.yml", "fault.yml", "wish.yml"}


def test_every_library_and_action_is_looked_after() -> None:
    """Each folder that pins something, by the tool that knows it."""
    looked_after = {
        (update["package-ecosystem"], folder)
        for update in document(ROOT / ".github" / "dependabot.yml")["updates"]
        for folder in update.get("directories", [update.get("directory")])
    }

    assert looked_after == {
        *(("pip", folder) for folder in ("/", "/payflow")),
        *((kind, "/") for kind in ("npm", "github-actions", "docker")),
    }
    assert all(
        (ROOT / folder.strip("/") / "requirements.txt").exists() for kind, folder in looked_after if kind == "pip"
    )


def test_a_weakness_has_a_private_address() -> None:
    """GitHub finds the page in .github; its links lead somewhere, and the issue form sends people there."""
    page = ROOT / ".github" / "SECURITY.md"
    text = page.read_text("utf-8")
    files = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "advisories" not in link]

    assert "](../../../security/advisories/new)" in text
    assert [link for link in files if not (page.parent / link).exists()] == []
    assert "Report a vulnerability" in (ISSUES / "config.yml").read_text("utf-8")


def test_the_editors_commands_are_those_of_the_stack() -> None:
    """Tasks, launches and the container: one that does not parse would fail on the first day of somebody new."""
    tasks, launches = document(VSCODE / "tasks.json")["tasks"], document(VSCODE / "launch.json")["configurations"]
    container = document(ROOT / ".devcontainer" / "devcontainer.json")
    typed = [task["command"] for task in tasks if task["type"] == "shell"] + [container["postCreateCommand"]]
    commands = [line.split() for text in typed for line in DEVSTACK.findall(text)]
    commands += [each["args"] for each in launches if each.get("module") == "devstack"]

    assert len(commands) == 6
    assert {_parse(each)[0].command for each in commands} == {"up", "payflow", "test", "package", "services"}
    labels = {task["label"] for task in tasks}
    assert {each["preLaunchTask"] for each in launches if "preLaunchTask" in each} <= labels
    assert {task["dependsOn"] for task in tasks if "dependsOn" in task} <= labels


def test_the_container_is_the_editor_with_the_deployed_python() -> None:
    """The same extensions in both, and a Python that makes the package's bytecode."""
    container = document(ROOT / ".devcontainer" / "devcontainer.json")

    assert container["image"].startswith(f"mcr.microsoft.com/devcontainers/python:1-{DEPLOYED}-")
    assert (
        container["customizations"]["vscode"]["extensions"] == document(VSCODE / "extensions.json")["recommendations"]
    )
    assert document(VSCODE / "settings.json")["azureFunctions.scmDoBuildDuringDeployment"] is False


def test_every_request_to_try_is_one_of_the_interface() -> None:
    """Method and path; and the order is signed as the example's secret signs it."""
    text = (ROOT / "docs" / "requests.http").read_text("utf-8")
    known = document(ROOT / "docs" / "openapi.yaml")["paths"]
    shown = re.findall(r"^(GET|POST) \{\{host\}\}(\S+)$", text, re.MULTILINE)
    secret = json.loads((ROOT / "local.settings.json.example").read_text("utf-8"))
    ((signature, body),) = re.findall(r"^X-WP-Signature: (\w+)\n\n(.+)$", text, re.MULTILINE)

    assert len(shown) == 6
    assert [each for each in shown if not any(_is(each, path, known[path]) for path in known)] == []
    key = secret["Values"]["WEBHOOK_SECRET"]
    assert signature == hmac.new(key.encode(), body.encode(), hashlib.sha256).hexdigest()


def _is(shown: tuple[str, str], path: str, operations: dict[str, Any]) -> bool:
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
    return shown[0].lower() in operations and re.fullmatch(pattern, shown[1]) is not None


def test_what_a_machine_reads_first_leads_somewhere() -> None:
    """llms.txt: a title, a summary, and links to files that exist. Source: https://llmstxt.org."""
    text = (ROOT / "llms.txt").read_text("utf-8")

    assert re.match(r"# .+\n\n> ", text)
    assert [link for link in re.findall(r"\]\(([^)]+)\)", text) if not (ROOT / link).exists()] == []


def test_azd_provisions_what_the_guide_does_and_deploys_the_checked_package() -> None:
    """Its parameter file exists, its hooks are shell, and their commands those of the stack."""
    wish = document(ROOT / "azure.yaml")
    module = ROOT / wish["infra"]["path"] / f"{wish['infra']['module']}.bicepparam"
    scripts = [wish["hooks"][name]["posix"]["run"] for name in ("preprovision", "postprovision")]
    commands = [line.replace('"', "").split() for line in DEVSTACK.findall("\n".join(scripts))]
    read = set(re.findall(r"readEnvironmentVariable\('(\w+)'\)", module.read_text("utf-8")))
    outputs = set(re.findall(r"^output (\w+)", (ROOT / "infra" / "main.bicep").read_text("utf-8"), re.MULTILINE))
    asked = set(re.findall(r"azd env get-value (\w+)", scripts[1]))

    typed = [_parse(each)[0] for each in commands]
    assert [(each.command, each.app) for each in typed] == [
        (command, app) for command in ("package", "deploy") for app in ("distributor", "payflow")
    ]
    assert {each.python for each in typed if each.command == "package"} == {DEPLOYED}
    assert [subprocess.run(["sh", "-n"], input=each, text=True, check=False).returncode for each in scripts] == [0, 0]
    assert {"LEDGER_ID", "OPERATORS_OBJECT_ID"} <= read
    assert {name for name in read if name not in scripts[0]} == set()
    assert asked - {"AZURE_RESOURCE_GROUP", "PAYFLOW"} <= outputs  # the second is the person's word: the other app too
    assert "services" not in wish


def test_the_licence_is_the_same_everywhere() -> None:
    """MIT; the plugin alone is under WordPress' own licence, as its directory demands, and says so itself."""
    sources = [path.read_text("utf-8") for path in sorted((ROOT / "contracts").rglob("*.sol"))]
    named = [re.findall(r"^// SPDX-License-Identifier: (.*)$", text, re.MULTILINE) for text in sources]
    plugin = (ROOT / "wordpress" / "ballx-distributor" / "ballx-distributor.php").read_text("utf-8")

    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License")
    assert document(ROOT / "package.json")["license"] == "MIT"
    assert document(ROOT / "docs" / "openapi.yaml")["info"]["license"]["identifier"] == "MIT"
    assert named == [["MIT"]] * len(sources) != []
    assert re.findall(r"^ \* License: +(\S+)$", plugin, re.MULTILINE) == ["GPL-2.0-or-later"]
    for readme in ("README.md", "README.pt-BR.md"):
        assert "GPL" in (ROOT / readme).read_text("utf-8")
