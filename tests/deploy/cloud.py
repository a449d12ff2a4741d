"""
A stand-in of the Azure that ``az`` speaks to when it deploys: sign-in, Resource Manager, deployment endpoint.

One TLS server on this machine under a certificate made for the test. It knows one tenant, one
subscription and one Flex Consumption app, and lists as its functions what the worker really finds in
the package that was uploaded. The app itself answers one path, with the version that the package is stamped with.

A token is for one audience: those of Resource Manager are refused by the deployment endpoint, where they are deprecated
(microsoft/vscode-azuretools#2258), and the other way round. A deployment has an id of its own. By that id it is unknown
at first, again after its worker was replaced, and for good where storage refused the package (Azure/azure-dev,
pkg/azsdk/funcapp_host_client.go, and its issue 4439); ``latest`` is whichever was last, from any client.

The deployment endpoint is as strict as its strictest reading: it takes ``application/zip``, which every client
that knows the Flex Consumption plan sends (azure-cli 2.91, ``enable_zip_deploy_flex``; Azure/azure-dev#3658;
hashicorp/terraform-provider-azurerm#31937; OctopusDeploy/Calamari#2077), and a zip as the body. Whether the
platform also takes the ``application/octet-stream`` of ``az functionapp deploy`` is written nowhere: a test says
which of the two it means (``octet_streams``).
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4
from zipfile import ZipFile

import trustme

TENANT = "11111111-1111-1111-1111-111111111111"
SUBSCRIPTION = "22222222-2222-2222-2222-222222222222"
GROUP = "ballx-test"
APP = "func-ballx-test"
CLIENT = "33333333-3333-3333-3333-333333333333"
SECRET = "a secret of the principal"
APP_SERVICE = "https://appservice.azure.com"
"""Whose tokens the deployment endpoint takes. Source: azure-cli 2.91, core/cloud.py, ``app_service_resource_id``."""
_ENDPOINTS = (
    "active_directory",
    "active_directory_resource_id",
    "active_directory_graph_resource_id",
    "management",
    "resource_manager",
)
PENDING, BUILDING, FAILED, SUCCEEDED, CONFLICT = 0, 1, 3, 4, 5
"""Statuses of a deployment. Source: https://github.com/Azure/azure-dev/issues/3658."""
_SITE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Web/sites/{APP}"


@dataclass(frozen=True)
class Answer:
    """A status, a document as JSON, and headers."""

    status: int
    document: Any
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Cloud:
    """What is deployed there, and what it was asked."""

    functions: Callable[[Path], Mapping[str, Any]]
    """Lists the functions of a package; raises when it does not load."""
    folder: Path
    """Where uploads go, and the certificate of the authority."""
    port: int = 0
    asked: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """What it was asked and does not know: the test that meets one says so."""
    octet_streams: bool = True
    """Whether an upload as ``application/octet-stream`` is taken."""
    refusals: list[Answer] = field(default_factory=list)
    """What the next uploads are answered with, in place of being taken."""
    course: list[tuple[int, str]] = field(default_factory=lambda: [(PENDING, ""), (BUILDING, ""), (SUCCEEDED, "")])
    """The statuses that the next deployments go through; HTTP says 200 for each of them."""
    lists: list[list[str]] = field(default_factory=list)
    """What is listed before the functions of the package are: nothing at first, or a placeholder."""
    publications: list[tuple[str, str]] = field(default_factory=list)
    """Query and media type of each upload."""
    unknown_for: int = 2
    """So often a deployment is asked for by its id before it is known."""
    known_for: int = 1000
    """How often it is reported afterwards, until its worker is replaced."""
    overtaken: bool = False
    """Whether somebody else's deployment, a good one, is the latest."""
    before: list[str] = field(default_factory=list)
    """The versions it answers with before that of the package; the first is kept where the last is ``...``."""
    closed: bool = False
    """Whether the app takes requests at its gateway (``localhost``) alone, and refuses them at its own name."""
    tokens: dict[str, str] = field(default_factory=dict)
    """Audience of each token that was given and still holds."""
    deployment: str = ""
    """Id of the last upload."""
    asked_for: int = 0
    """How often the last deployment was asked for by its id."""

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def uploaded(self) -> Path:
        return self.folder / "uploaded.zip"

    @property
    def authority(self) -> Path:
        return self.folder / "authority.pem"

    def answer(self, method: str, path: str, body: bytes, headers: Message) -> Answer:
        """Answer as Azure does, as far as a deployment asks."""
        self.asked.append(f"{method} {path}")
        route = urlsplit(path).path
        if route == f"/{TENANT}/v2.0/.well-known/openid-configuration":
            return Answer(200, self._tenant())
        if (method, route) == ("POST", f"/{TENANT}/oauth2/v2.0/token"):
            return self._token(parse_qs(body.decode()))
        if (method, route) == ("GET", "/healthz"):
            return self._alive(headers.get("Host", ""))
        audience = APP_SERVICE if route.startswith("/api/") else self.url
        if self.tokens.get(headers.get("Authorization", "").removeprefix("Bearer ")) != audience:
            return Answer(401, {"error": {"code": "AuthenticationFailed", "message": "no token, or not ours"}})
        if (method, route) == ("POST", "/api/publish"):
            return self._publish(urlsplit(path).query, headers.get("Content-Type", ""), body)
        return self._signed_in(method, route)

    def _publish(self, query: str, media_type: str, body: bytes) -> Answer:
        self.publications.append((query, media_type))
        taken = {"application/zip", *(["application/octet-stream"] if self.octet_streams else ())}
        if media_type not in taken:
            return Answer(415, f"The media type '{media_type}' is not supported.")
        if not body.startswith(b"PK"):
            return Answer(400, "The body is no zip.")
        if self.refusals:
            return self.refusals.pop(0)
        self.uploaded.write_bytes(body)
        self.deployment, self.asked_for = str(uuid4()), 0
        return Answer(202, self.deployment)

    def _deployment(self, name: str) -> Answer:
        if name == "latest" and self.overtaken:
            return Answer(200, _deployed(str(uuid4()), SUCCEEDED, ""))
        if name == "latest":
            return Answer(200, _deployed(self.deployment, *self._step()))
        self.asked_for += 1
        if name != self.deployment or not self.unknown_for < self.asked_for <= self.unknown_for + self.known_for:
            return Answer(404, f"Deployment {name} not found.")
        return Answer(200, _deployed(name, *self._step()))

    def _step(self) -> tuple[int, str]:
        return self.course.pop(0) if len(self.course) > 1 else self.course[0]

    def _alive(self, host: str) -> Answer:
        """Answer as the app's own route does, as far as a deployment asks: the version is read from the package."""
        if self.closed and not host.startswith("localhost"):
            return Answer(403, "Ip Forbidden")
        if not self.uploaded.exists():
            return Answer(404, "")
        version = self.before[0] if self.before[-1:] == ["..."] else self.before.pop(0) if self.before else ""
        return Answer(200, {"status": "alive"}, {"X-Version": version or _version(self.uploaded)})

    def _signed_in(self, method: str, route: str) -> Answer:
        match method, route.rstrip("/"):
            case "GET", "/subscriptions":
                return Answer(200, {"value": [_subscription()]})
            case "GET", path if path == _SITE:
                return Answer(200, self._site())
            case "GET", path if path == f"{_SITE}/functions":
                return Answer(200, {"value": self._functions()})
            case "GET", path if path.startswith("/api/deployments/"):
                return self._deployment(path.rpartition("/")[2])
        self.unknown.append(f"{method} {route}")
        return Answer(404, {"error": {"code": "NotFound", "message": f"the stand-in does not know {route}"}})

    def _token(self, asked: Mapping[str, list[str]]) -> Answer:
        if asked.get("client_secret") != [SECRET] or asked.get("client_id") != [CLIENT]:
            return Answer(
                401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret."}
            )
        (audience,) = [
            scope.removesuffix(".default").rstrip("/") for scope in asked["scope"][0].split() if "." in scope
        ]
        token = f"token-{len(self.tokens)}-{audience}"
        self.tokens[token] = audience
        return Answer(200, {"token_type": "Bearer", "expires_in": 3600, "access_token": token})

    def _tenant(self) -> dict[str, str]:
        return {
            "issuer": f"{self.url}/{TENANT}/v2.0",
            "authorization_endpoint": f"{self.url}/{TENANT}/oauth2/v2.0/authorize",
            "token_endpoint": f"{self.url}/{TENANT}/oauth2/v2.0/token",
        }

    def _site(self) -> dict[str, Any]:
        names = [("Standard", f"{APP}.azurewebsites.net"), ("Repository", f"127.0.0.1:{self.port}")]
        return {
            "id": _SITE,
            "name": APP,
            "type": "Microsoft.Web/sites",
            "kind": "functionapp,linux",
            "location": "Brazil South",
            "properties": {
                "sku": "FlexConsumption",
                "serverFarmId": _SITE.replace("sites", "serverfarms"),
                "reserved": True,
                "state": "Running",
                "defaultHostName": f"127.0.0.1:{self.port}",
                "customDomainVerificationId": "0A1B",
                "enabledHostNames": [name for _, name in names],
                "hostNameSslStates": [{"name": name, "hostType": kind} for kind, name in names],
            },
        }

    def _functions(self) -> list[dict[str, Any]]:
        """Return what the app offers; one that does not load offers nothing, and no error."""
        try:
            found = self.lists.pop(0) if self.lists else list(self.functions(self.uploaded))
        except Exception:  # noqa: BLE001 -- the platform logs it and lists nothing, whatever it was
            found = []
        return [{"id": f"{_SITE}/functions/{name}", "name": f"{APP}/{name}", "properties": {}} for name in found]


def _subscription() -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{SUBSCRIPTION}",
        "subscriptionId": SUBSCRIPTION,
        "tenantId": TENANT,
        "displayName": "a subscription of the test",
        "state": "Enabled",
    }


def _deployed(name: str, status: int, text: str) -> dict[str, Any]:
    complete = status not in {PENDING, BUILDING}
    return {"id": name, "status": status, "status_text": text, "complete": complete, "deployer": "OneDeploy"}


def _version(package: Path) -> str:
    with ZipFile(package) as opened:
        said = json.loads(opened.read("foundation/stamp.json"))
    return f"{said['release']}+{said['commit']}"


@contextmanager
def cloud(folder: Path, functions: Callable[[Path], Mapping[str, Any]]) -> Iterator[Cloud]:
    """Run the stand-in until the block ends."""
    standing = Cloud(functions=functions, folder=folder)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(standing.authority))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(tls)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(standing)) as server:
        standing.port = server.server_port
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield standing
        finally:
            server.shutdown()
            thread.join()


def _handler(standing: Cloud) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found = standing.answer(self.command, self.path, body, self.headers)
            said = json.dumps(found.document).encode()
            self.send_response(found.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    return Handler


def configuration(folder: Path, standing: Cloud | None = None) -> dict[str, str]:
    """Return the environment of an ``az`` of its own in *folder*; it knows the stand-in when there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        "AZURE_CONFIG_DIR": str(folder),
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
        "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
    }
    if standing is None:
        return environment
    endpoints = "\n".join(
        [
            *(f"endpoint_{name} = {standing.url}/" for name in _ENDPOINTS),
            f"endpoint_app_service_resource_id = {APP_SERVICE}",
        ]
    )
    (folder / "clouds.config").write_text(f"[StandIn]\n{endpoints}\n", "ascii")
    (folder / "config").write_text("[cloud]\nname = StandIn\n", "ascii")
    return {
        **environment,
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",  # which asks Microsoft whether the authority is one of theirs
        "REQUESTS_CA_BUNDLE": str(standing.authority),
    }
