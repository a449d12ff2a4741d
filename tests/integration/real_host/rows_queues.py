"""Rows about queues: what an output becomes, and what a message goes through."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta

from tests.integration.hosted import Hosted, until
from tests.integration.real_host.bench import FAST, Trial, count, encoded, messages, row

OUTPUTS = "Output messages"
QUEUES = "Queues"
SHORT_LOCK = {"DEVSTACK_TIME_SCALE": FAST}
"""A taken message is hidden for 6 s instead of 600."""


def put(trial: Trial, host: Hosted, *bodies: bytes, path: str = "/put") -> list[str]:
    """Hand bodies to an output, one request each; return the messages that lie there then, decoded."""
    import base64

    for body in bodies:
        assert host.ask(path, body).status == 202
    return [base64.b64decode(message).decode() for message in messages(trial.queue("-put"))]


@row(OUTPUTS, 'a text {"a":1}', "read as JSON and written anew", "trial")
def _(trial: Trial) -> None:
    with trial.host() as host:
        (found,) = put(trial, host, b'{"a":1}')

    assert found != '{"a":1}'
    assert json.loads(found) == {"a": 1}


@row(OUTPUTS, 'a text ["p","q"]; an empty text; a list of str', "two messages; one empty; one each", "trial")
def _(trial: Trial) -> None:
    with trial.host() as host:
        assert put(trial, host, b'["p","q"]') == ["p", "q"]
        trial.queue("-put").clear_messages()
        assert put(trial, host, b"") == [""]
        trial.queue("-put").clear_messages()
        assert put(trial, host, b"r\ns", path="/put-many") == ["r", "s"]


@row(OUTPUTS, "49,152 bytes; 49,153", "202; 500, although the function ended well", "trial")
def _(trial: Trial) -> None:
    with trial.host() as host:
        assert [host.ask("/put", b"x" * size).status for size in (49_152, 49_153)] == [202, 500]

    assert len(trial.seen("put returned")) == 2


@row(OUTPUTS, "an answer to a function with an output", "only when the message is there", "trial")
def _(trial: Trial) -> None:
    with trial.host() as host:
        assert put(trial, host, b"hello") == ["hello"]


@row(QUEUES, "a message that fails", "five runs, counts 1 to 5; then poison with a new id, count 1", "trial")
def _(trial: Trial) -> None:
    sent = trial.made().send_message(encoded("fail"))
    with trial.host() as host:
        (moved,) = until(lambda: trial.seen("poison"))
        until(lambda: count(trial.queue()) == 0)

    assert [run["count"] for run in trial.seen("work")] == [1, 2, 3, 4, 5]
    assert (moved["text"], moved["count"]) == ("fail", 1)
    assert moved["id"] != sent.id
    assert "reached MaxDequeueCount of 5" in host.log


@row(QUEUES, "visibilityTimeout of host.json", "so long between two runs", "trial")
def _(trial: Trial) -> None:
    trial.made().send_message(encoded("fail"))
    began = time.monotonic()
    with trial.host(AzureFunctionsJobHost__extensions__queues__visibilityTimeout="00:00:03"):
        until(lambda: len(trial.seen("work")) == 2)

    assert time.monotonic() - began > 3


@row(QUEUES, "the poison function fails", "it runs again after 600 s, and again, without limit", "trial")
def _(trial: Trial) -> None:
    trial.made("-poison").send_message(encoded("bad"))
    began = time.monotonic()
    with trial.host(POISON_FAILS="1", **SHORT_LOCK):
        until(lambda: len(trial.seen("poison")) == 3)

    assert time.monotonic() - began > 2 * 6
    assert [run["count"] for run in trial.seen("poison")] == [1, 2, 3]


@row(QUEUES, "not base64", "to poison at once without a run; there it stays and never runs", "trial")
def _(trial: Trial) -> None:
    trial.made().send_message("{not base64}")
    with trial.host() as host:
        until(lambda: count(trial.queue("-poison")) == 1 and count(trial.queue()) == 0)
        time.sleep(1)

    assert trial.seen("work") == trial.seen("poison") == []
    assert "reached MaxDequeueCount of 5" in host.log
    assert count(trial.queue("-poison")) == 1
    assert count(trial.queue("-poison-poison")) == 0


@row(QUEUES, "base64 that is no UTF-8", "five failing runs that Python never sees, then poison", "trial")
def _(trial: Trial) -> None:
    trial.made().send_message(encoded(b"\xff\xfe"))
    with trial.host() as host:
        until(lambda: count(trial.queue("-poison")) == 1 and count(trial.queue()) == 0)

    assert host.log.count("work failed in run") == 5
    assert trial.seen("work") == []


@row(QUEUES, "an empty message", "run with b''", "trial")
def _(trial: Trial) -> None:
    trial.made().send_message("")
    with trial.host():
        (run,) = until(lambda: trial.seen("work"))

    assert run["text"] == ""


@row(QUEUES, "the metadata", "texts and numbers; times in UTC; next visible in ten minutes, whole seconds", "trial")
def _(trial: Trial) -> None:
    trial.made().send_message(encoded("hello"))
    with trial.host():
        (run,) = until(lambda: trial.seen("work"))
    visible = datetime.fromisoformat(run["visible"])

    assert visible.microsecond == 0
    assert timedelta(minutes=9) < visible - datetime.now(visible.tzinfo) <= timedelta(minutes=10)
    assert [type(run[name]) for name in ("id", "receipt", "count")] == [str, str, int]
    inserted, expires = (datetime.fromisoformat(run[name]) for name in ("inserted", "expires"))
    assert inserted.utcoffset() == expires.utcoffset() == timedelta()
    assert expires - inserted == timedelta(days=7)


@row(QUEUES, "a message moved to poison", "it lives 7 days", "trial")
def _(trial: Trial) -> None:
    trial.made().send_message(encoded("fail"))
    with trial.host(**{"AzureWebJobs.mourn.Disabled": "1"}):
        until(lambda: count(trial.queue("-poison")) == 1)
        (moved,) = trial.queue("-poison").peek_messages()

    assert moved.inserted_on
    assert moved.expires_on
    assert moved.expires_on - moved.inserted_on == timedelta(days=7)


@row(QUEUES, "a message with $AzureWebJobsParentId", "run, unchanged", "trial")
def _(trial: Trial) -> None:
    text = '{"$AzureWebJobsParentId": "a", "b": 1}'
    trial.made().send_message(encoded(text))
    with trial.host():
        (run,) = until(lambda: trial.seen("work"))

    assert run["text"] == text


@row(
    QUEUES,
    "a queue that is missing, then made",
    "a warning each poll; seen within a second",
    "trial",
)
def _(trial: Trial) -> None:
    with trial.host() as host:
        until(lambda: "does not exist" in host.log)
        trial.made().send_message(encoded("hello"))
        until(lambda: trial.seen("work"))


@row(QUEUES, "16 messages at once, more when some have ended", "waves: never more than configured", "trial")
def _(trial: Trial) -> None:
    queue = trial.made()
    for number in range(4):
        queue.send_message(encoded(f"sleep 0.5 {number}"))
    limits = {"batchSize": "2", "newBatchThreshold": "0"}
    with trial.host(**{f"AzureFunctionsJobHost__extensions__queues__{name}": each for name, each in limits.items()}):
        until(lambda: len(trial.seen("work slept")) == 4)
    lines = [json.loads(line)["what"] for line in (trial.folder / "seen").read_text("utf-8").splitlines()]

    assert lines == ["work", "work", "work slept", "work slept"] * 2


@row(QUEUES, "SIGTERM while a message runs that ends in time", "it finishes and is deleted", "trial")
def _(trial: Trial) -> None:
    trial.made().send_message(encoded("sleep 1.5"))
    with trial.host(DEVSTACK_STOP_S="8") as host:
        until(lambda: trial.seen("work"))
    assert host.server.process.returncode == 0

    assert len(trial.seen("work slept")) == 1
    assert count(trial.queue()) == 0


@row(
    QUEUES,
    "SIGTERM while a message runs that does not end",
    "killed; hidden for the rest of 600 s",
    "trial",
)
def _(trial: Trial) -> None:
    trial.made().send_message(encoded("sleep 60"))
    began = time.monotonic()
    with trial.host(DEVSTACK_STOP_S="0.5", **SHORT_LOCK):
        until(lambda: trial.seen("work"))
    assert messages(trial.queue()) == []
    assert trial.seen("work slept") == []

    with trial.host(**SHORT_LOCK):
        until(lambda: len(trial.seen("work")) == 2)
    assert time.monotonic() - began > 6
    assert [run["count"] for run in trial.seen("work")] == [1, 2]


@row(QUEUES, "the host killed with a message", "the orphaned worker finishes; again 600 s after it was taken", "trial")
def _(trial: Trial) -> None:
    trial.made().send_message(encoded("sleep 1.5"))
    began = time.monotonic()
    with trial.host(**SHORT_LOCK) as host:
        until(lambda: trial.seen("work"))
        host.server.process.kill()
        until(lambda: trial.seen("work slept"))

    with trial.host(**SHORT_LOCK):
        until(lambda: len(trial.seen("work")) == 2)
    assert time.monotonic() - began > 6
    assert [run["count"] for run in trial.seen("work")] == [1, 2]
