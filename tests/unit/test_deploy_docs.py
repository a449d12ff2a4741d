"""docs/deploy.md: every setting, role, parameter and command in it is the code's, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.command import DEPLOYED, _parse
from distributor.cli.arguments import parser
from distributor.settings import about
from distributor.settings import values as accept
from tests import bicep
from tests.unit.test_infra import PLATFORM

ROOT = Path(__file__).parents[2]
ENGLISH, PORTUGUESE = ROOT / "docs" / "deploy.md", ROOT / "docs" / "pt-BR" / "deploy.md"
PAPERS = [ENGLISH, PORTUGUESE]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROLE = re.compile(r"^\| ([A-Z][\w ]+) \| `([0-9a-f-]{36})` \| ([^|]+) \| ([^|]+) \|", re.MULTILINE)
SHELL_ONLY = {
    "ADMIN_ADDRESS", "ALERT_EMAIL", "APP", "AUTHORITY", "BODY", "CLIENT_ID", "CONSOLE_CLIENT_ID", "DEPLOYER",
    "ETH_RPC_URL", "GROUP", "IDENTITY_ID", "KEY", "LOCATION", "OPERATORS_OBJECT_ID", "OPERATORS_TYPE",
    "OPERATOR_ADDRESS", "OPERATOR_ROLE", "REGISTRY", "SCM", "SCOPE", "SECRET", "SIGNATURE", "STORAGE", "VAULT",
    "VAULT_URI", "WEBHOOK_URL",
}  # fmt: skip
"""What the shell of the reader keeps between two commands."""
GITHUB = {"AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP"}
VAULT_NAMES = {name.replace("_", "-") for name in about()} | {
    f"AzureWebJobsStorage--{form}" for form in ("accountName", "credential", "clientId")
}
ROLE_NAMES = {
    "blobDataOwner": "Storage Blob Data Owner",
    "queueDataContributor": "Storage Queue Data Contributor",
    "tableDataContributor": "Storage Table Data Contributor",
    "blobDataContributor": "Storage Blob Data Contributor",
    "secretsUser": "Key Vault Secrets User",
    "secretsOfficer": "Key Vault Secrets Officer",
    "cryptoUser": "Key Vault Crypto User",
    "monitoringMetricsPublisher": "Monitoring Metrics Publisher",
}


@pytest.fixture(params=PAPERS, ids=["en", "pt-BR"])
def paper(request: pytest.FixtureRequest) -> str:
    """One language after the other."""
    return str(request.param.read_text("utf-8"))


def shell(paper: str) -> str:
    """Return what the reader types."""
    return "\n".join(text for language, text in FENCE.findall(paper) if language == "sh")


def exported(paper: str) -> set[str]:
    """Return the variables that are set for the commands after them."""
    lines = re.findall(r"^export (.*)$", shell(paper), re.MULTILINE)
    return {name for line in lines for name in re.findall(r"(?:^|\s)([A-Za-z_]\w*)=", line)}


def anchors(text: str) -> Iterator[str]:
    """Yield what a link may name in a paper."""
    for heading in re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE):
        yield re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")


def test_both_languages_have_the_same_commands() -> None:
    """Blocks, headings, tables and rows; only the words around them differ."""
    english, portuguese = (path.read_text("utf-8") for path in PAPERS)

    assert _without_comments(english) == _without_comments(portuguese)
    for shape in (r"^(#+) ", r"^(\|)", r"^\| [A-Z][\w ]+ \| (`[0-9a-f-]{36}`)"):
        assert re.findall(shape, english, re.MULTILINE) == re.findall(shape, portuguese, re.MULTILINE)


def _without_comments(paper: str) -> list[tuple[str, str]]:
    return [(language, re.sub(r" +#.*$", "", text, flags=re.MULTILINE)) for language, text in FENCE.findall(paper)]


def test_every_role_is_the_one_that_is_given(paper: str) -> None:
    """Names, ids and where: the table and the Bicep are one."""
    given = {
        (ROLE_NAMES[name], guid)
        for file in ("storage", "backup", "vault", "monitoring")
        for name, guid in bicep.module(f"{file}.bicep")["variables"]["roles"]["value"].items()
    }

    assert {(name, guid) for name, guid, _, _ in ROLE.findall(paper)} == given
    roles = {quoted or plain for quoted, plain in re.findall(r'--role (?:"([^"]+)"|(\w+))', shell(paper))}
    assert roles == {
        "AcrPull",
        "AcrPush",
        "Contributor",
        "Role Based Access Control Administrator",
        "Ledger Lock Writer",
    }


def test_every_name_in_capitals_is_a_setting_or_the_readers_own(paper: str) -> None:
    """A setting that does not exist would be set in vain."""
    known = set(about()) | PLATFORM | SHELL_ONLY | GITHUB
    written = set(re.findall(r"(?<![\w/<-])([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?![\w-])", paper))
    placeholders = set(re.findall(r"\b0x([A-Z_]+)\b", paper)) | {"THE_ID_IT_PRINTED", "YOUR_OWN_WALLET"}

    assert {name for name in written if name not in known and name not in placeholders} == set()


def test_every_variable_is_set_before_it_is_used(paper: str) -> None:
    """Read from top to bottom, no command has a hole in it."""
    text, seen = shell(paper), set[str]()
    assigned = re.compile(r"(?:^|\s|\()([A-Za-z_]\w*)=|read -rsp '[^']*' (\w+)|read -rsp \"[^\"]*\" (\w+)")
    missing = []
    for line in text.splitlines():
        seen |= set(re.findall(r"^for (\w+) in ", line))
        missing += [name for name in re.findall(r"\$\{?([A-Z]\w*)", line) if name not in seen]
        seen |= {name for found in assigned.findall(line) for name in found if name}

    assert missing == []


def test_every_secret_is_entered_under_the_vaults_name_of_a_setting(paper: str) -> None:
    """The required ones in any case, and none that nobody reads."""
    entered = set(re.findall(r"^enter ([\w-]+)", shell(paper), re.MULTILINE))

    assert {"RPC-URL", "OPERATOR-PK", "WEBHOOK-SECRET"} <= entered <= VAULT_NAMES
    assert set(re.findall(r"`([A-Z]+(?:-[A-Z]+)+)`", paper)) <= VAULT_NAMES


def test_what_the_parameter_files_read_is_exported(paper: str) -> None:
    """The compiler would stop at a variable that is not there."""
    text = bicep.INFRA.joinpath("test.bicepparam").read_text("utf-8")
    required = set(re.findall(r"readEnvironmentVariable\('(\w+)'\)", text))

    assert required <= exported(paper)
    assert set(re.findall(r"readEnvironmentVariable\('(\w+)'", text)) <= set(re.findall(r"\w+", paper))


def test_every_parameter_and_output_exists(paper: str) -> None:
    """Of infra/main.bicep."""
    main = bicep.module("main.bicep")
    outputs = re.findall(r"\(output (\w+)\)", paper)
    parameters = re.findall(r"`(operatorKeyId|moreSecrets|moreSettings|alwaysReadyHttp)\b", paper)

    assert outputs
    assert set(outputs) <= set(main["outputs"])
    assert {"operatorKeyId", "moreSecrets", "alwaysReadyHttp"} <= set(parameters) <= set(main["parameters"])


def test_every_command_of_the_service_exists(paper: str) -> None:
    """With the arguments it is shown with."""
    shown = re.findall(r"python -m distributor ([a-z][^`\n]*)", paper)

    assert {line.split()[0] for line in shown} >= {"init", "show", "pause", "add-operator"}
    for line in shown:
        parser().parse_args([word.strip('"') for word in line.split()])


def test_every_command_of_the_stack_exists(paper: str) -> None:
    """And builds for the Python that infra/ deploys."""
    shown = [_parse(line.split())[0] for line in re.findall(r"^python3 -m devstack (.*)$", paper, re.MULTILINE)]

    assert {each.command for each in shown} == {"package", "deploy"}
    assert {each.python for each in shown if each.command == "package"} == {DEPLOYED}


def test_as_many_functions_as_the_app_has(paper: str) -> None:
    """Who counts them, as the page shows it, finds none missing."""
    names = [
        name
        for path in (ROOT / "distributor" / "functions").glob("*.py")
        for name in re.findall(r'^@blueprint\.function_name\("(\w+)"', path.read_text("utf-8"), re.MULTILINE)
    ]
    ((shown, first),) = re.findall(r"has its (\d+) functions: ([\w, ]+), …", paper)

    assert int(shown) == len(names)
    assert first.split(", ") == sorted(names)[: len(first.split(", "))]


def test_every_alert_is_named(paper: str) -> None:
    """And none that does not exist."""
    named = {rule["name"] for rule in bicep.module("alerts.bicep")["variables"]["rules"]["value"]}

    assert {name for name in named if f"`{name}`" in paper} == named


@pytest.mark.parametrize("path", PAPERS, ids=["en", "pt-BR"])
def test_every_link_leads_somewhere(path: Path) -> None:
    """Files of this repository and headings in them."""
    text = path.read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("http")]
    broken = []
    for link in links:
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.is_file() or (anchor and anchor not in set(anchors(target.read_text("utf-8")))):
            broken.append(link)

    assert links
    assert broken == []


def test_no_command_of_the_service_meets_a_setting_it_refuses(paper: str) -> None:
    """What the shell still holds from earlier steps is read by ``python -m distributor``: the word ``none`` was."""
    held: dict[str, str] = {}
    met = []
    for line in shell(paper).splitlines():
        held |= dict(re.findall(r"(?:^export|\s)\s*([A-Z]\w*)=([^\s\"$]+)", line))
        for name in re.findall(r"^unset (\w+)", line):
            held.pop(name, None)
        if line.startswith("python -m distributor"):
            met.append(held.get("LEDGER_ID", ""))

    assert met
    assert set(met) <= {"", "THE_ID_IT_PRINTED"}
    with pytest.raises(ValueError, match="32 hex digits"):
        accept.ledger_id("none")


def test_every_command_is_for_the_shell_that_is_named(paper: str) -> None:
    """``read -p`` asks in bash; zsh, which macOS starts, takes it for a coprocess, and a plain sh has no ``-s``."""
    assert "read -rsp" in shell(paper)
    assert "bash" in paper[: paper.index("## 1.")]
