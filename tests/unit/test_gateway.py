"""infra/gateway: the server in front of the container lets through what the app takes, and says who asks."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from distributor.settings import about
from distributor.webhook import intake, woocommerce_intake
from distributor.webhook.client_ip import rate_limit_key

ROOT = Path(__file__).parents[2]
CONF = ROOT / "infra" / "gateway" / "nginx.conf"
PAPERS = [ROOT / "docs" / "deploy.md", ROOT / "docs" / "pt-BR" / "deploy.md"]
APP = "http://127.0.0.1:8080"


def read(file: Path) -> dict[str, Any]:
    """Return what crossplane, a reader of nginx' language, finds in *file*; its strict mode knows each directive."""
    line = [sys.executable, "-m", "crossplane", "parse", "--strict", str(file)]
    told = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    return dict(json.loads(told)["config"][0])


def named(block: list[dict[str, Any]], directive: str) -> list[list[str]]:
    """Return the arguments of each *directive* right in *block*."""
    return [each["args"] for each in block if each["directive"] == directive]


def inside(block: list[dict[str, Any]], directive: str) -> list[dict[str, Any]]:
    """Return what the one block *directive* of *block* holds."""
    (found,) = (each["block"] for each in block if each["directive"] == directive)
    return list(found)


def everything(block: list[dict[str, Any]]) -> list[str]:
    """Return the name of each directive inside a block of *block*."""
    inner = [each for outer in block for each in outer.get("block", [])]
    return [each["directive"] for each in inner] + (everything(inner) if inner else [])


def octets(size: str) -> int:
    """Read a size as nginx writes it."""
    return int(size.removesuffix("k")) * 1024


@pytest.fixture(scope="module")
def http() -> list[dict[str, Any]]:
    """The block that contains everything."""
    found = read(CONF)
    assert found["errors"] == []
    return inside(found["parsed"], "http")


@pytest.fixture(scope="module")
def places(http: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What a client may ask for, and what it gets."""
    return {" ".join(each["args"]): each["block"] for each in inside(http, "server") if each["directive"] == "location"}


def test_a_burst_finds_a_connection_and_the_process_writes_where_it_may() -> None:
    """Two connections for each request that is passed on; its folder is mounted for reading only."""
    parsed = read(CONF)["parsed"]
    ((connections,),) = named(inside(parsed, "events"), "worker_connections")

    assert int(connections) >= 1024
    assert named(parsed, "pid") == [["/tmp/nginx.pid"]]  # noqa: S108 -- in the container
    assert named(parsed, "error_log") == [["/dev/stderr", "warn"]]


def test_a_directive_nginx_does_not_know_is_noticed(tmp_path: Path) -> None:
    """And one in the wrong place, or with an argument too few."""
    text = CONF.read_text("utf-8")
    wrong = [
        text.replace("limit_req_status", "limit_request_status"),
        text.replace("events {", "limit_req_status 429;\nevents {"),
        text.replace("proxy_http_version 1.1", "proxy_http_version"),
    ]
    for number, each in enumerate(wrong):
        (tmp_path / f"{number}.conf").write_text(each)

    assert [len(read(tmp_path / f"{number}.conf")["errors"]) for number in range(3)] == [1, 1, 1]


def test_nothing_is_served_without_tls(http: list[dict[str, Any]]) -> None:
    """One port, and no version of TLS that is broken."""
    server = inside(http, "server")

    assert named(server, "listen") == [["443", "ssl"]]
    assert named(server, "ssl_protocols") == [["TLSv1.2", "TLSv1.3"]]


def test_the_services_paths_pass_and_no_other(places: dict[str, list[dict[str, Any]]]) -> None:
    """The routes of the app are read from its source; the host's own ``/admin/`` is not one of them."""
    sources = [path.read_text("utf-8") for path in (ROOT / "distributor" / "functions").glob("*.py")]
    routes = {route for text in sources for route in re.findall(r'blueprint\.route\("([^"]+)"', text)}
    passed = {name for name, block in places.items() if named(block, "proxy_pass") == [[APP]]}

    assert len(routes) >= 7
    assert {f"/orders/{{{route.partition('{')[2]}" for route in routes if route.startswith("orders/")} == {
        "/orders/{order_id}",
        "/orders/{source}/{order_id}",
    }
    assert "shop/orders/{order_id}" in routes
    assert passed == {"/orders/", "/shop/orders/"} | {f"= /{route}" for route in routes if "{" not in route}
    assert named(places["/"], "return") == [["404"]]


def test_a_body_the_app_takes_passes(http: list[dict[str, Any]], places: dict[str, list[dict[str, Any]]]) -> None:
    """And one byte more is refused at the gateway, which is before the app has read it."""
    ((usual,),) = named(inside(http, "server"), "client_max_body_size")
    ((woocommerce,),) = named(places["= /webhook/woocommerce"], "client_max_body_size")

    assert octets(usual) == intake.BODY_BYTES_MAX
    assert octets(woocommerce) == woocommerce_intake.BODY_BYTES_MAX
    assert named(places["= /webhook"], "client_max_body_size") == []


def test_a_shop_that_keeps_the_apps_limit_meets_none_before(http: list[dict[str, Any]]) -> None:
    """
    All of a shop's orders come from one address; a flood meets the limit soon, and differs from what is wrong.

    A zone by itself limits nothing: ``limit_req`` does, where nothing inside takes its place.
    """
    ((key, zone, rate),), ((_, connections),) = named(http, "limit_req_zone"), named(http, "limit_conn_zone")
    source = next(setting for name, setting in about().items() if name == "RATE_LIMIT_PER_SOURCE").default
    a_minute = int(rate.removeprefix("rate=").removesuffix("r/s")) * 60
    burst = int(named(http, "limit_req")[0][1].removeprefix("burst="))

    assert key == "$binary_remote_addr"
    assert 1 <= a_minute / int(str(source).removesuffix("/minute")) <= 2
    assert burst * 60 <= 2 * a_minute
    assert named(http, "limit_req") == [[zone.replace(":10m", ""), f"burst={burst}", "nodelay"]]
    assert named(http, "limit_conn") == [[connections.removeprefix("zone=").removesuffix(":10m"), "50"]]
    assert named(http, "limit_req_status") == named(http, "limit_conn_status") == [["429"]]
    assert {"limit_req", "limit_conn", "limit_req_dry_run"}.isdisjoint(everything(http))


@pytest.mark.parametrize("paper", PAPERS, ids=["en", "pt-BR"])
def test_the_guide_names_the_rate_and_the_sizes(http: list[dict[str, Any]], paper: Path) -> None:
    """In its table of the gateway."""
    text = paper.read_text("utf-8")
    rate = named(http, "limit_req_zone")[0][2].removeprefix("rate=").removesuffix("r/s")
    burst = named(http, "limit_req")[0][1].removeprefix("burst=")
    ((usual,),) = named(inside(http, "server"), "client_max_body_size")

    assert re.search(rf"^\| (rate|taxa) \| {rate} [^|]*?\b{burst} [^|]*429", text, re.MULTILINE)
    assert re.search(rf"^\| (body|corpo) \| {usual.removesuffix('k')} KiB, [^|]*\b512 KiB", text, re.MULTILINE)


def test_a_slow_client_and_a_dead_app_hold_nothing_for_long(http: list[dict[str, Any]]) -> None:
    """Seconds for what a client sends and takes; a request is whole before the app sees it, and is passed on once."""
    for directive in ("client_header_timeout", "client_body_timeout", "send_timeout", "proxy_connect_timeout"):
        ((limit,),) = named(http, directive)
        assert int(limit.removesuffix("s")) <= 10, directive
    assert named(http, "proxy_read_timeout") == [["60s"]]  # the longest answer of the app is below it
    assert named(http, "proxy_request_buffering") == [["on"]]
    assert named(http, "proxy_next_upstream") == [["off"]]
    assert named(http, "server_tokens") == [["off"]]
    assert dict(named(http, "proxy_set_header")) == {
        "Connection": "",
        "Host": "$host",
        "X-Forwarded-For": "$remote_addr",
        "X-Forwarded-Proto": "https",
    }
    assert "proxy_set_header" not in everything(http)  # one inside would take the place of all


def test_the_certificate_is_the_one_the_guide_puts_there(http: list[dict[str, Any]]) -> None:
    """Beside the file, as the group mounts it; no ticket outlives the process that made it."""
    server = inside(http, "server")

    assert named(server, "ssl_certificate") + named(server, "ssl_certificate_key") == [["tls.crt"], ["tls.key"]]
    assert named(server, "ssl_session_tickets") == [["off"]]


def test_every_refusal_of_the_gateway_is_a_problem_as_the_apps_are(
    http: list[dict[str, Any]], places: dict[str, list[dict[str, Any]]]
) -> None:
    """Same media type, same codes, and a time to wait where to come again is right."""
    pages = named(inside(http, "server"), "error_page")

    assert pages == [["413", "@too_large"], ["429", "@too_many"], ["502", "504", "=503", "@away"]]
    for name, status in (("@too_large", 413), ("@too_many", 429), ("@away", 503)):
        ((code, body),) = named(places[name], "return")
        assert int(code) == json.loads(body)["status"] == status
        assert named(places[name], "default_type") == [["application/problem+json"]]
    assert [args[0] for args in named(places["@too_many"], "add_header")] == ["X-Error-Code", "Retry-After"]
    assert named(places["@too_large"], "add_header") == [["X-Error-Code", "body_too_large", "always"]]


def test_the_address_is_set_and_read_as_the_papers_say(http: list[dict[str, Any]]) -> None:
    """Nothing of what a client writes arrives; with one proxy too many trusted clients could not be distinguished."""
    headers = dict(named(http, "proxy_set_header"))
    default = next(setting for name, setting in about().items() if name == "TRUSTED_PROXIES").default

    assert headers["X-Forwarded-For"] == "$remote_addr"
    assert (headers["Host"], named(http, "proxy_http_version")) == ("$host", [["1.1"]])
    assert rate_limit_key("203.0.113.7", trusted_proxies=int(str(default))) == "203.0.113.7"
    assert rate_limit_key("203.0.113.7", trusted_proxies=1) == "unknown"


def test_no_key_is_logged(http: list[dict[str, Any]]) -> None:
    """A function key may be in the query; nginx' own format writes the query."""
    ((name, *written),) = named(http, "log_format")

    assert named(http, "access_log") == [["/dev/stdout", name]]
    assert not re.search(r"\$(request|request_uri|args|query_string|http_\w+)\b", " ".join(written))


@pytest.mark.parametrize("paper", PAPERS, ids=["en", "pt-BR"])
def test_the_group_of_the_guide_opens_the_gateway_alone(paper: Path, tmp_path: Path) -> None:
    """The block is run as the reader runs it, up to ``az``; what it writes is what Azure would read."""
    (block,) = re.findall(r"^(packed\(\) .*?^YAML$)", paper.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "infra" / "gateway").mkdir(parents=True)
    (tmp_path / "infra" / "gateway" / "nginx.conf").write_bytes(CONF.read_bytes())
    (tmp_path / "tls.crt").write_text("the chain\n" * 99)
    (tmp_path / "tls.key").write_text("the key\n")
    reader = {"LOCATION": "brazilsouth", "REGISTRY": "r", "IDENTITY_ID": "/i/d", "VAULT_URI": "https://v/"}
    subprocess.run(["sh", "-euc", block], cwd=tmp_path, env={"PATH": "/usr/bin:/bin", **reader}, check=True)
    group = yaml.safe_load((tmp_path / "group.yaml").read_text("utf-8"))
    app, gateway = group["properties"]["containers"]
    ((volume,), (mount,)) = group["properties"]["volumes"], gateway["properties"]["volumeMounts"]

    assert (tmp_path / "group.yaml").stat().st_mode & 0o077 == 0
    assert isinstance(group["apiVersion"], str)
    assert (
        group["properties"]["ipAddress"]["ports"]
        == gateway["properties"]["ports"]
        == [{"port": 443, "protocol": "TCP"}]
    )
    assert "ports" not in app["properties"]
    assert [each["name"] for each in app["properties"]["environmentVariables"]] == ["KEYVAULT_URI"]
    assert (mount["name"], mount["mountPath"]) == (volume["name"], "/etc/nginx")
    assert base64.b64decode(volume["secret"]["nginx.conf"]) == CONF.read_bytes()
    assert set(volume["secret"]) == {"nginx.conf", "tls.crt", "tls.key"}
