"""The ``az`` command lines the papers show, given to the parser of the real ``az``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy import papers
from tests.deploy.az import Az

WRONG = [
    ("functionapp", "deploy", "-g", "a", "-n", "b", "--src-path", "app.zip", "--type", "tar"),
    ("functionapp", "deploy", "-g", "a", "-n", "b", "--src-path", "app.zip", "--build-remote", "true"),
    ("functionapp", "function", "list", "-g", "a", "-n", "b", "--query", "length("),
    ("keyvault", "secret", "set", "--vault-name", "a", "--file", "b"),
]


def test_every_command_line_in_the_papers_is_one_of_az(az: Az) -> None:
    """Names, arguments, accepted values and queries; nothing is run."""
    shown = papers.lines()

    assert [f"{line}\n{told}" for line, told in zip(shown, az.parse(shown), strict=True) if told] == []
    assert [line for line in shown if line.arguments[:2] == ("functionapp", "deploy")]


def test_a_wrong_command_line_is_noticed(az: Az) -> None:
    """A value, an argument, a query that ``az`` does not accept, and a name that is missing."""
    told = az.parse([papers.Line("here", arguments) for arguments in WRONG])

    assert [text.startswith("ended with 2: ERROR: ") for text in told] == [True] * len(WRONG), told


def test_no_command_line_hides_in_a_block_of_another_language() -> None:
    """What the reader would copy is read by the test above."""
    assert papers.shown_otherwise() == []


def test_a_command_line_is_found_wherever_the_shell_finds_it() -> None:
    """Continued, piped, substituted, in a condition; quoted as the shell unquotes; not in a comment or a text."""
    script = r"""
    # az in a comment
    GROUP=ballx-test
    az group create --name "$GROUP" \
      --location brazilsouth   # here
    ID=$(az identity show -g "rg-${GROUP}-x" --query id --output tsv)
    if ! az functionapp function list --query 'length(@)' | grep -qx 0; then echo "az is not run"; fi
    printf '%s' "$SECRET" | az keyvault secret set --file /dev/stdin --name a\ b >/dev/null && az logout
    """

    assert list(papers.az(script)) == [
        ("group", "create", "--name", "1", "--location", "brazilsouth"),
        ("identity", "show", "-g", "rg-1-x", "--query", "id", "--output", "tsv"),
        ("functionapp", "function", "list", "--query", "length(@)"),
        ("keyvault", "secret", "set", "--file", "/dev/stdin", "--name", "a b"),
        ("logout",),
    ]


def test_papers_and_workflows_are_read(tmp_path: Path) -> None:
    """Shell blocks, indented ones too; steps, and scripts for the Azure CLI action, with expressions in them."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text(
        "Run `az never`:\n\n1. here\n\n   ```sh\n   az group list\n   ```\n\n```text\n$ az version\n```\n"
    )
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    (tmp_path / ".github" / "workflows" / "b.yml").write_text(
        "jobs:\n  a:\n    steps:\n      - run: az group show --name ${{ vars.GROUP }}\n"
        "      - uses: azure/cli@v2\n        with:\n          inlineScript: |\n            az account show\n"
    )

    assert [str(line) for line in papers.lines(tmp_path)] == [
        "docs/a.md: az group list",
        ".github/workflows/b.yml: az group show --name 1",
        ".github/workflows/b.yml: az account show",
    ]
    assert papers.shown_otherwise(tmp_path) == ["docs/a.md: $ az version"]


def test_a_block_that_is_no_shell_is_named() -> None:
    """A quote that never ends would hide every command after it."""
    with pytest.raises(papers.NoShell, match=r"deploy\.md"):
        list(papers.az("az group create --name 'ballx", Path("deploy.md")))
