"""The receivers of the page that are no Python: Node here, PHP where PHP is."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from distributor.call_backs.message import body_of_test, headers_of
from foundation.clock import UnixMs, system_clock
from tests.fakes.receiver import OURS
from tests.fakes.receiver_code import code_of

# Node is the shop's program, not ours: a machine may build and test this without it.
NODES = [found] if (found := shutil.which("node")) else []


@pytest.mark.parametrize("page", ["en", "pt"])
@pytest.mark.parametrize("node", NODES)
def test_the_receiver_in_node_takes_what_is_signed_and_nothing_else(node: str, page: str) -> None:
    """Also with two signatures; not another secret's, not yesterday's, not other bytes."""
    now = system_clock()
    body = body_of_test("default", now)
    good = headers_of(body, "evt_1", [OURS], now)
    both = headers_of(body, "evt_1", ["the new secret of the shop, 32 byte", OURS], now)
    others = headers_of(body, "evt_1", ["the new secret of the shop, 32 byte"], now)
    old = headers_of(body, "evt_1", [OURS], UnixMs(now - 301_000))
    cases = [(good, body), (both, body), (others, body), (old, body), (good, body + b" ")]
    lines = [json.dumps({"headers": dict(headers), "body": sent.decode()}) for headers, sent in cases]

    taken = [_taken(node, page, line) for line in lines]

    assert taken == [True, True, False, False, False]


def _taken(node: str, page: str, line: str) -> bool:
    code = (
        f"{code_of('js', page)}\nconst asked = JSON.parse({json.dumps(line)});"
        f"console.log(receive({json.dumps(OURS)}, asked.headers, Buffer.from(asked.body)) !== null);"
    )
    ran = subprocess.run([node, "-e", code], capture_output=True, text=True, timeout=60, check=True)
    return ran.stdout.strip() == "true"
