"""
What the payouts say in alarms, in rows of the ledger and in errors without words: English in the code, as it is stored.

Nothing marks these sentences. They are read out of the code, f-strings too, with a name in braces for each value.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import distributor.errors  # noqa: F401 -- its errors are found as those of foundation.errors are
from devstack import paths
from foundation.errors import ServiceError

DETAILS = (
    *(
        "distributor/payout/*.py",
        "distributor/approvals.py",
        "distributor/call_backs/*.py",
        "distributor/signing/*.py",
        "distributor/chain/node*.py",
        "distributor/ledger/opened.py",
    ),
    *("distributor/ledger/queries.py", "distributor/webhook/woocommerce_intake.py", "distributor/functions/workers.py"),
    *("foundation/queues.py", "foundation/tablestore/codec.py", "foundation/alarms/targets.py"),
)
"""Where the details of alarms and of waiting and held orders are made."""
_WITH_LANGUAGES = frozenset({"catalogue.py", "catalogue_call_backs.py", "catalogue_pt.py", "node_errors.py"})
"""What has its languages in itself, or the words of nodes."""
_WORDS_MIN = 2
_MARKS = frozenset({"_", "N_", "sentence"})
"""What is marked is read by ``devstack.messages``."""


def details() -> Iterator[tuple[Path, str]]:
    """Yield each sentence of the payouts, and what an error says by itself; a value is a name in braces."""
    for file in (each for pattern in DETAILS for each in sorted(paths.ROOT.glob(pattern))):
        if file.name not in _WITH_LANGUAGES:
            yield from ((file, text) for text in _sentences(ast.parse(file.read_text("utf-8"))))
    for error in _errors(ServiceError):
        file = paths.ROOT / f"{error.__module__.replace('.', '/')}.py"
        yield from ((file, text) for text in [_default(error)] if text)


def _sentences(tree: ast.AST) -> Iterator[str]:
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    apart = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    marks = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_mark_or_log(node)]
    apart |= {id(part) for mark in marks for part in ast.walk(mark)}
    actions = [node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "action"]
    apart |= {id(part) for action in actions for part in ast.walk(action)}  # the catalogue's is shown
    for node in ast.walk(tree):
        whole = isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and id(node) not in inside)
        if whole and id(node) not in apart and (text := _as_template(node)) and _is_sentence(text):
            yield text


def _is_mark_or_log(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id in _MARKS


def _as_template(node: ast.AST) -> str:
    """Return a text with each of its values as a name in braces; nothing where it is no text."""
    if isinstance(node, ast.Constant):
        return node.value.replace("{", "{{").replace("}", "}}") if isinstance(node.value, str) else ""
    counted, text = Counter[str](), ""
    for part in node.values if isinstance(node, ast.JoinedStr) else ():
        if isinstance(part, ast.Constant):
            text += _as_template(part)
        elif isinstance(part, ast.FormattedValue):
            name = _named(part.value)
            counted[name] += 1
            text += f"{{{name}{counted[name] if counted[name] > 1 else ''}}}"
    return text


def _named(value: ast.expr) -> str:
    names = [
        each.attr if isinstance(each, ast.Attribute) else each.id
        for each in ast.walk(value)
        if isinstance(each, ast.Attribute | ast.Name)
    ]
    return names[0].strip("_") if names else "value"


def _is_sentence(text: str) -> bool:
    """Say whether it is words for a person, and no name, key or format."""
    words = re.findall(r"[A-Za-z]{2,}", re.sub(r"\{\w+\}", " ", text))
    return " " in text.strip() and len(words) >= (1 if "{" in text else _WORDS_MIN)


def _errors(parent: type[ServiceError]) -> Iterator[type[ServiceError]]:
    for error in parent.__subclasses__():
        if error.__module__.startswith(("distributor.errors", "foundation.errors")):
            yield error
        yield from _errors(error)


def _default(error: type[ServiceError]) -> str:
    return (error.__doc__ or "").strip().partition("\n")[0]


def as_json(translated: Mapping[str, str], raised: Iterator[str]) -> str:
    """Return each sentence that is stored, or *raised* as one that is translated later, with its translation."""
    every = dict.fromkeys((*(text for _, text in details()), *raised))
    return json.dumps({text: translated[text] for text in sorted(every)}, ensure_ascii=False, indent=1) + "\n"
