"""The scripts of the workflows and of azd, run: a step that does nothing, or whose failure is swallowed, is noticed."""

from __future__ import annotations

import pytest

from tests.workflow_runs import GIVEN, KEPT, Step, hooks, kept, ran, steps

MAY_FAIL = ("docker run --rm --env KEYVAULT_URI=", "func start")
"""The first must fail, and the step looks at its words; the second runs behind, and is asked until it answers."""
SCRIPTS = {each.name: each for each in (*steps(), *hooks())}
NEEDED = (
    "AUTHORITY_ADDRESS", "TOKEN_ADDRESS", "RESERVE_ADDRESS", "ALERT_EMAIL", "LEDGER_ID",
    "CONTA_AZUL_CLIENT_ID", "SMTP_FROM", "SMTP_HOST", "SMTP_USER", "OVERRIDE_RECIPIENT_EMAIL",
)  # fmt: skip


def fails_quietly(step: Step) -> list[str]:
    """Return the calls of a script that may fail, one after another, without the script."""
    calls = [each for each in dict.fromkeys(ran(step, values=GIVEN).calls) if not each.startswith(MAY_FAIL)]
    return [each for each in calls if ran(step, failing=each.partition("~")[0], values=GIVEN).code == 0]


def test_each_script_calls_what_it_is_there_for() -> None:
    """And each action has its inputs. After a change: ``python -m tests.workflow_runs``, and read the difference."""
    assert kept() == KEPT.read_text("utf-8")


@pytest.mark.parametrize("name", [name for name, step in SCRIPTS.items() if not step.after_failure])
def test_no_failure_is_swallowed(name: str) -> None:
    """Every call of every script, failing by itself, ends the script with an error; and all together it ends well."""
    ended = ran(SCRIPTS[name], values=GIVEN)
    may_be_absent = {
        "azd/preprovision": ["azd env get-value PAYFLOW", "azd env get-value OPERATORS_OBJECT_ID"],
        "azd/postprovision": ["azd env get-value PAYFLOW"],
    }

    assert (ended.code, ended.calls != []) == (0, True), ended.said
    assert fails_quietly(SCRIPTS[name]) == may_be_absent.get(name, [])


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("infra/compile/4", 'case "$line" in "bicep lint infra/vault"*) echo "Warning no-unused-vars"; exit 0;; esac'),
        ("infra/compile/4", 'case "$line" in "bicep lint infra/vault"*) echo "it broke" >&2; exit 3;; esac'),
        ("infra/compile/5", 'case "$line" in "bicep format infra/app"*) echo "as it should be"; exit 0;; esac'),
        ("infra/compile/6", _SNAPSHOT := 'case "$line" in "bicep snapshot infra/production"*)'
         ' echo \'{"diagnostics": [{"level": "Error"}]}\' > "${2%.bicepparam}.snapshot.json"; exit 0;; esac'),
        ("infra/compile/6", 'case "$line" in "bicep snapshot "*) exit 0;; esac'),
        ("container/build/6", 'case "$line" in "docker run --rm "*) echo "started"; exit 0;; esac'),
        ("container/build/6", 'case "$line" in "docker run --rm "*) echo "no such image"; exit 125;; esac'),
        ("container/build/8", 'case "$line" in *"distributor order"*) echo \'{"status": "held"}\'; exit 0;; esac'),
        ("container/build/10", 'case "$line" in *"--entrypoint id"*) echo 0; exit 0;; esac'),
        ("func/func/7", 'case "$line" in *"/orders/"*) echo \'{"status": "accepted"}\'; exit 0;; esac'),
    ],
)  # fmt: skip
def test_a_bad_answer_ends_a_step(name: str, answers: str) -> None:
    """A warning, another format, a diagnostic, an order that is not paid: the command itself ended well."""
    assert ran(SCRIPTS[name]).code == 0
    assert ran(SCRIPTS[name], answers=f"{answers}\n").code != 0


@pytest.mark.parametrize("hook", ["azd/preprovision", "azd/postprovision"])
def test_azd_makes_payflow_only_where_it_is_asked_for(hook: str) -> None:
    """Who has the distributor alone is asked for nothing of a clinic's."""
    alone = ran(SCRIPTS[hook], values={**GIVEN, "PAYFLOW": "no"})
    both = ran(SCRIPTS[hook], values=GIVEN)

    assert (alone.code, both.code) == (0, 0)
    assert [call for call in alone.calls if "payflow" in call] == []
    assert len([call for call in both.calls if "payflow" in call]) == (1 if hook == "azd/preprovision" else 3)


@pytest.mark.parametrize("missing", NEEDED)
@pytest.mark.parametrize("empty", [True, False])
def test_azd_asks_for_what_is_missing(missing: str, *, empty: bool) -> None:
    """Or empty; before anything is built or made, by the command that sets it."""
    values = {name: text for name, text in GIVEN.items() if name != missing} | ({missing: ""} if empty else {})
    ended = ran(SCRIPTS["azd/preprovision"], values=values)

    assert ended.code == 1
    assert f"Missing: azd env set {missing} VALUE" in ended.said
    assert [call for call in ended.calls if not call.startswith("azd env get-value")] == []


@pytest.mark.parametrize("values", [GIVEN, {**GIVEN, "OPERATORS_OBJECT_ID": ""}], ids=["missing", "empty"])
def test_azd_takes_the_signed_in_person_for_the_operator(values: dict[str, str]) -> None:
    """Where nobody is named; and nothing is set where Azure does not say who that is."""
    set_to = "azd env set OPERATORS_OBJECT_ID 44444444-4444-4444-4444-444444444444"
    named = {**GIVEN, "OPERATORS_OBJECT_ID": "a group"}
    nobody = ran(SCRIPTS["azd/preprovision"], failing="az ad", values=values)

    assert set_to in ran(SCRIPTS["azd/preprovision"], values=values).calls
    assert [call for call in ran(SCRIPTS["azd/preprovision"], values=named).calls if call.startswith("az ")] == []
    assert (nobody.code, [call for call in nobody.calls if call.startswith("azd env set")]) == (1, [])


PLANTS = [
    ("deploy/deploy/7", 'python3 -m devstack deploy --resource-group "$GROUP" --name "$APP"', "exit 0"),
    ("deploy/deploy/7", '--name "$APP"', '--name "$APP" || true'),
    ("deploy/deploy/8", "exit 1", "exit 0"),
    ("infra/compile/4", "test ! -s found.txt", "true"),
    ("infra/compile/5", "| diff", "| diff -q /dev/null /dev/null #"),
    ("infra/compile/6", 'snapshot "infra', 'build "infra'),
    ("container/build/8", "exit 1", ""),
    ("package/package/4", "package payflow", "package"),
    ("deploy-payflow/deploy/7", "pause --all --wait", "pause --all"),
    ("deploy-payflow/deploy/9", "--hold deploy-payflow", ""),
    ("deploy-payflow/deploy/7", "--quiet --require-hashes", "--quiet"),
    ("deploy-payflow/deploy/9", "exit 1", "exit 0"),
    ("deploy-payflow/deploy/9", "python3 -m payflow resume --all", "true"),
    ("infra/compile/7", 'snapshot "infra', 'build "infra'),
    ("azd/preprovision", "python3 -m devstack package", "# python3 -m devstack package"),
    ("azd/preprovision", "set -eu", ""),
    ("azd/postprovision", "set -eu", ""),
    ("azd/postprovision", "python3 -m devstack deploy", ": python3 -m devstack deploy"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "line", "other"), PLANTS)
def test_a_line_that_was_emptied_is_noticed(name: str, line: str, other: str) -> None:
    """One each, so that the tests above can fail: the calls differ, or a failure is swallowed."""
    good = SCRIPTS[name]
    assert line in good.script
    bad = Step(name=name, shell=good.shell, script=good.script.replace(line, other), variables=good.variables)
    changed = ran(bad, values=GIVEN).calls != ran(good, values=GIVEN).calls
    lint = 'case "$line" in "bicep lint "*) echo "Warning"; exit 0;; esac\n'
    unpaid = 'case "$line" in *"distributor order"*) echo \'{"status": "held"}\'; exit 0;; esac\n'

    assert (
        changed
        or fails_quietly(bad) != fails_quietly(good)
        or any(ran(bad, answers=each).code == 0 != ran(good, answers=each).code for each in (lint, unpaid))
    )
