"""The local host treats an app as the Functions host does: shown on a small app, over real Azurite."""

import base64
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.storage.queue import QueueClient, QueueServiceClient

from devstack.servers import Azurite
from tests.integration.hosted import Hosted, hosted, until

APP = Path(__file__).parent / "host_app"


class Seen:
    """What the small app wrote down."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self, what: str) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        lines = [json.loads(line) for line in self.path.read_text("utf-8").splitlines()]
        return [line for line in lines if line["what"] == what]


@pytest.fixture
def seen(tmp_path: Path) -> Seen:
    """The file the app writes to."""
    return Seen(tmp_path / "seen")


@pytest.fixture
def settings(azurite: Azurite, table_name: str, seen: Seen) -> dict[str, str]:
    """Settings of the small app: a queue of its own, and a timer that rests."""
    return {
        "AzureWebJobsStorage": azurite.connection_string,
        "WORK_QUEUE": table_name,
        "HOST_APP_SEEN": str(seen.path),
        "TICKS": "0 0 0 29 feb *",
    }


@pytest.fixture
def host(settings: dict[str, str], tmp_path: Path) -> Iterator[Hosted]:
    """The small app, running."""
    with hosted(APP, settings, tmp_path / "host.log") as running:
        yield running


@pytest.fixture
def queue(settings: dict[str, str]) -> Iterator[QueueClient]:
    """The queue the small app works on."""
    with QueueServiceClient.from_connection_string(settings["AzureWebJobsStorage"]) as service:
        client = service.get_queue_client(settings["WORK_QUEUE"])
        client.create_queue()
        yield client


@pytest.fixture
def poison(settings: dict[str, str]) -> Iterator[QueueClient]:
    """The queue of the messages that failed for good."""
    with QueueServiceClient.from_connection_string(settings["AzureWebJobsStorage"]) as service:
        yield service.get_queue_client(settings["WORK_QUEUE"] + "-poison")


def encoded(text: str) -> str:
    """A message as the extension writes one."""
    return base64.b64encode(text.encode()).decode()


def is_empty(queue: QueueClient) -> bool:
    """Tell whether no message is left, hidden ones counted."""
    return queue.get_queue_properties().approximate_message_count == 0


def poisoned(queue: QueueClient) -> list[str]:
    """The bodies of the poisoned messages, as they lie there; none while there is no such queue."""
    from azure.core.exceptions import ResourceNotFoundError

    try:
        return [message.content for message in queue.peek_messages()]
    except ResourceNotFoundError:
        return []


def test_a_request_arrives_as_it_was_sent(host: Hosted) -> None:
    """Route parameters, query, headers in lower case, the client's address and the raw body reach the function."""
    reply = host.ask(
        "/ECHO/a%20b?x=1&x=2", b"\xff\x00raw", headers={"X-Mixed-Case": "kept", "X-Forwarded-For": "1.2.3.4"}
    )

    assert reply.status == 201
    assert reply.headers["X-Echo"] == "yes"
    assert reply.json["name"] == "a b"
    assert reply.json["query"] == {"x": "1,2"}
    assert reply.json["body_hex"] == "ff00726177"
    assert reply.json["headers"]["x-mixed-case"] == "kept"
    assert reply.json["headers"]["x-forwarded-for"].startswith("1.2.3.4, 127.0.0.1:")


def test_a_literal_route_wins_over_a_parameter(host: Hosted) -> None:
    """Two functions match the path; the one without a parameter there answers."""
    assert host.ask("/echo/literal").body == b"literal GET"


@pytest.mark.parametrize("expected", ["100-continue", "100-Continue", "something else", "\xff"])
def test_a_body_that_waits_to_be_asked_for_arrives(host: Hosted, expected: str) -> None:
    """Some clients ask before they send a large body; an Expect nobody knows is passed over, as in Azure."""
    reply = host.ask("/echo/x", b"raw", headers={"Expect": expected})

    assert (reply.status, reply.json["body_hex"]) == (201, "726177")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nothing"), ("DELETE", "/echo/x"), ("GET", "/"), ("GET", "/add")]
)
def test_an_unknown_path_or_method_is_not_found(host: Hosted, method: str, path: str) -> None:
    """Azure answers 404 for a known path with another method too."""
    assert host.ask(path, method=method).status == 404


def test_a_function_key_is_asked_for_where_the_function_says_so(host: Hosted) -> None:
    """The key is taken from the header or from ``?code=``."""
    assert host.ask("/keyed").status == 401
    assert host.ask("/keyed?code=wrong").status == 401
    assert host.ask("/keyed", headers={"x-functions-key": "\x80 is no UTF-8"}).status == 401
    assert host.ask("/keyed?code=the-key").status == 200
    assert host.ask("/keyed", headers={"x-functions-key": "the-key"}).status == 200


def test_a_chunked_body_arrives_empty(host: Hosted) -> None:
    """Without a Content-Length the host hands over no body."""
    where = urlsplit(host.url)
    head = b"POST /echo/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection((where.hostname, where.port)) as wire:
        wire.sendall(head + b"5\r\nhello\r\n0\r\n\r\n")
        answer = b"".join(iter(lambda: wire.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 201")
    assert b'"body_hex": ""' in answer


def test_an_exception_is_a_bare_500(host: Hosted) -> None:
    """The trace is in the log and not in the reply."""
    reply = host.ask("/fail")

    assert (reply.status, reply.body) == (500, b"")
    assert "secret in a trace" in host.log


def test_a_function_is_stopped_at_the_timeout(host: Hosted) -> None:
    """``functionTimeout`` of host.json ends the invocation."""
    assert host.ask("/slow").status == 500
    assert "slow ran longer than functionTimeout" in host.log


def test_a_sync_function_runs_too(host: Hosted) -> None:
    """On the worker's threads."""
    assert host.ask("/blocking").body == b"GET"


def test_an_output_is_bound_before_the_reply(host: Hosted, seen: Seen, queue: QueueClient) -> None:
    """When the caller has its answer, the message was added: the function it wakes runs, and deletes it."""
    assert host.ask("/add", b"hello").status == 202
    (work,) = until(lambda: seen.all("work"))

    assert (work["text"], work["count"]) == ("hello", 1)
    assert until(lambda: is_empty(queue))


def test_a_failing_output_is_a_500_although_the_function_completed(host: Hosted, seen: Seen) -> None:
    """The function cannot catch it: it has returned already."""
    assert host.ask("/add-badly", b"hello").status == 500
    assert len(seen.all("add_badly returned")) == 1


def test_a_message_that_keeps_failing_is_poisoned_after_five_runs(
    host: Hosted, seen: Seen, queue: QueueClient, poison: QueueClient
) -> None:
    """Each run sees a higher dequeue count; then the message moves as it is, and its queue is empty."""
    queue.send_message(encoded("fail"))

    assert until(lambda: poisoned(poison)) == [encoded("fail")]
    assert [run["count"] for run in seen.all("work")] == [1, 2, 3, 4, 5]
    assert until(lambda: is_empty(queue))
    assert "Host started" in host.log


def test_a_message_that_is_not_base64_is_poisoned_unseen(
    host: Hosted, seen: Seen, queue: QueueClient, poison: QueueClient
) -> None:
    """No function runs for it."""
    queue.send_message("{not base64}")

    assert until(lambda: poisoned(poison)) == ["{not base64}"]
    assert seen.all("work") == []
    assert "cannot be decoded" in host.log


def test_no_more_messages_run_at_once_than_configured(
    settings: dict[str, str], seen: Seen, tmp_path: Path, queue: QueueClient
) -> None:
    """Overrides of host.json by ``AzureFunctionsJobHost__`` settings hold: batch of 2, more only when none runs."""
    settings["AzureFunctionsJobHost__extensions__queues__batchSize"] = "2"
    settings["AzureFunctionsJobHost__extensions__queues__newBatchThreshold"] = "0"
    for number in range(4):
        queue.send_message(encoded(f"sleep 0.5 {number}"))
    with hosted(APP, settings, tmp_path / "host.log"):
        until(lambda: len(seen.all("work slept")) == 4)
    lines = [json.loads(line)["what"] for line in seen.path.read_text("utf-8").splitlines()]

    assert [line for line in lines if line != "warm"] == ["work", "work", "work slept", "work slept"] * 2


def test_timers_never_overlap_themselves(settings: dict[str, str], seen: Seen, tmp_path: Path) -> None:
    """A run of 1.4 s on a schedule of one second: each ends before the next begins."""
    settings["TICKS"] = "* * * * * *"
    with hosted(APP, settings, tmp_path / "host.log"):
        until(lambda: len(seen.all("tick ends")) >= 2)
    lines = [json.loads(line)["what"] for line in seen.path.read_text("utf-8").splitlines()]

    assert lines[:5] == ["warm", "tick begins", "tick ends", "tick begins", "tick ends"]


def test_a_timer_runs_by_hand_when_asked_with_the_key(host: Hosted, seen: Seen) -> None:
    """Two at once still run one after the other; what is no timer is not found."""
    keyed = {"x-functions-key": "the-key"}
    assert host.ask("/admin/functions/ticking", b"{}").status == 401
    assert host.ask("/admin/functions/echo", b"{}", headers=keyed).status == 404
    for _ in range(2):
        assert host.ask("/admin/functions/ticking", b"{}", headers=keyed).status == 202
    until(lambda: len(seen.all("tick ends")) == 2)
    lines = [json.loads(line)["what"] for line in seen.path.read_text("utf-8").splitlines()]

    assert lines == ["warm", "tick begins", "tick ends", "tick begins", "tick ends"]


def test_a_disabled_function_rests(settings: dict[str, str], seen: Seen, tmp_path: Path, queue: QueueClient) -> None:
    """Its messages stay in the queue."""
    queue.send_message(encoded("later"))
    settings["AzureWebJobs.work.Disabled"] = "true"
    with hosted(APP, settings, tmp_path / "host.log") as host:
        assert host.ask("/echo/x").status == 201

    assert "work: queueTrigger" not in host.log
    assert [message.content for message in queue.peek_messages()] == [encoded("later")]
    assert seen.all("work") == []


def test_a_clean_end_shows_a_running_message_again(
    settings: dict[str, str], seen: Seen, tmp_path: Path, queue: QueueClient
) -> None:
    """Ending the host by a signal leaves no message hidden for ten minutes; the next host takes it at once."""
    queue.send_message(encoded("sleep 2.5"))
    with hosted(APP, settings, tmp_path / "host.log") as host:
        until(lambda: seen.all("work"))
    assert host.server.process.returncode == 0

    with hosted(APP, settings, tmp_path / "second.log"):
        until(lambda: seen.all("work slept"))
    assert [run["count"] for run in seen.all("work")] == [1, 2]


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is a POSIX signal")
def test_a_killed_host_leaves_its_message_hidden_and_counted(
    settings: dict[str, str], seen: Seen, tmp_path: Path, queue: QueueClient
) -> None:
    """Nothing deletes the message: it is still there, taken once, and reappears when its ten minutes are over."""
    queue.send_message(encoded("sleep 2.5"))
    with hosted(APP, settings, tmp_path / "host.log") as host:
        until(lambda: seen.all("work"))
        os.killpg(host.server.process.pid, signal.SIGKILL)
        host.server.process.wait(10)

    assert queue.peek_messages() == []
    assert queue.get_queue_properties().approximate_message_count == 1


def test_an_app_that_does_not_load_says_why(settings: dict[str, str], tmp_path: Path) -> None:
    """The process ends with the reason instead of serving nothing."""
    from devstack.servers import ServerFailed

    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    (tmp_path / "function_app.py").write_text("import no_such_module\n")

    with pytest.raises(ServerFailed, match="no_such_module"), hosted(tmp_path, settings, tmp_path / "host.log"):
        pytest.fail("it must not start")
