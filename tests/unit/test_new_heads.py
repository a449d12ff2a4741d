"""New heads against a real server: an announcement ends a pause, and nothing a node does makes it longer or fail."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import trustme
from aiohttp import WSMessage, WSMsgType, web

from distributor.chain import head_subscription, new_heads
from distributor.chain.head_subscription import connected
from distributor.chain.new_heads import NewHeads
from distributor.chain.rpc_responses import NodeUnavailable
from tests.fakes.head_node import CHAIN_ID, HEAD, HeadNode, head_node

KEY = "s3cr3t"
LONG_S = 60.0
"""A pause that no test waits for."""
SHORT_S = 0.05
Behaviour = Callable[[web.WebSocketResponse], Awaitable[None]]


@pytest.fixture(autouse=True)
async def deadline() -> AsyncIterator[None]:
    """No test of this module hangs."""
    async with asyncio.timeout(30):
        yield


@pytest.fixture
async def node() -> AsyncIterator[HeadNode]:
    """A good node until a test says otherwise."""
    async with head_node() as running:
        yield running


@pytest.fixture
async def opened() -> AsyncIterator[Callable[..., NewHeads]]:
    """Make new heads that are closed in the end."""
    made: list[NewHeads] = []

    def make(*urls: str, block_time_s: float = LONG_S) -> NewHeads:
        made.append(NewHeads(urls, block_time_s=block_time_s, timeout_s=1))
        return made[-1]

    yield make
    for heads in made:
        await heads.aclose()


async def until(true: Callable[[], bool]) -> None:
    """Wait for it; the test's deadline ends what never comes."""
    while not true():  # noqa: ASYNC110 -- what another task does shows in no event
        await asyncio.sleep(0.005)


async def flood(line: web.WebSocketResponse, text: str = HEAD) -> None:
    """Send without end, and hear nothing; other tasks of this process have their turn."""
    while True:
        await line.send_str(text)
        await asyncio.sleep(0)


async def ping_flood(line: web.WebSocketResponse) -> None:
    """Ping without end; other tasks of this process have their turn."""
    while True:
        await line.ping(b"hello")
        await asyncio.sleep(0)


async def silent(_line: web.WebSocketResponse) -> None:
    """Take the connection and say nothing."""
    await asyncio.sleep(LONG_S)


def says(text: str) -> Behaviour:
    """Answer everything with one text."""

    async def answer(line: web.WebSocketResponse) -> None:
        async for _ in line:
            await line.send_str(text)

    return answer


async def binary(line: web.WebSocketResponse) -> None:
    """Answer with bytes."""
    await line.receive()
    await line.send_bytes(b"\x00")
    await silent(line)


async def closing(line: web.WebSocketResponse) -> None:
    """Close at once."""
    await line.close()


async def cutting(line: web.WebSocketResponse) -> None:
    """Hang up in the middle."""
    await line.receive()
    assert line._req is not None
    assert line._req.transport is not None
    line._req.transport.abort()


async def half_frames(line: web.WebSocketResponse) -> None:
    """Begin a message that never ends, in pieces of nothing; other tasks of this process have their turn."""
    transport = line._req.transport if line._req else None
    assert transport is not None
    transport.write(b"\x01\x01{")
    while not transport.is_closing():
        transport.write(b"\x00\x00" * 1_000)
        await asyncio.sleep(0)


BAD: dict[str, tuple[Behaviour, str]] = {
    "takes the connection and is silent": (silent, "timeout"),
    "refuses the subscription": (
        says('{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"s3cr3t"}}'),
        "refused",
    ),
    "answers an empty subscription": (says('{"jsonrpc":"2.0","id":1,"result":""}'), "refused"),
    "answers what is no JSON": (says("<html>s3cr3t</html>"), "garbled: message"),
    "answers a list": (says("[1]"), "garbled: message"),
    "answers JSON that nests deep": (says("[" * 60_000), "garbled: message"),
    "answers a huge frame": (says("x" * (head_subscription.MESSAGE_BYTES_MAX + 1)), "garbled: frame"),
    "answers bytes": (binary, "garbled: frame"),
    "answers another question without end": (flood, "flood"),
    "pings without end": (ping_flood, "flood"),
    "begins a message that never ends": (half_frames, "flood"),
    "closes at once": (closing, "closed"),
    "hangs up": (cutting, "closed"),
}


@pytest.mark.parametrize(("after", "reason"), BAD.values(), ids=BAD)
async def test_a_bad_node_leaves_the_pause_as_it_was(
    node: HeadNode,
    opened: Callable[..., NewHeads],
    caplog: pytest.LogCaptureFixture,
    after: Behaviour,
    reason: str,
) -> None:
    """Pauses end, nothing is raised, the log says why the line is lost, and ``doctor`` the same; never the URL."""
    caplog.set_level(logging.INFO)
    node.after = after
    heads = opened(node.url(f"/{KEY}?key={KEY}"), block_time_s=SHORT_S)

    while "new_heads_lost" not in caplog.text:
        await heads.pause(SHORT_S)
    (trouble,) = (await heads.reaches(CHAIN_ID)).values()

    assert trouble.partition(": eth_")[0] == reason
    assert f'"detail": "{reason}' in caplog.text
    assert KEY not in caplog.text + trouble
    assert "new_heads_broken" not in caplog.text


@pytest.mark.parametrize(
    ("path", "reason"), [("/busy", "http_503"), ("/page", "http_200"), (f"/moved?{KEY}", "http_307")]
)
async def test_what_is_no_websocket_is_not_followed(node: HeadNode, path: str, reason: str) -> None:
    """A redirect could lead into our own network; the place it names is not asked."""
    heads = NewHeads([node.url(path)], block_time_s=2, timeout_s=5)

    assert await heads.reaches(CHAIN_ID) == {f"127.0.0.1:{node.port}": reason}
    assert node.connections == 0


def certified(name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return a server's certificate for *name*, and a trust in its authority."""
    authority, server = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(server)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    return server, trust


async def test_bytes_are_counted_under_tls() -> None:
    """Where asyncio reads in another way."""
    server, trust = certified("localhost")
    async with head_node(server) as node:
        node.after = half_frames
        with pytest.raises(NodeUnavailable, match=r"^flood$"):
            async with connected(node.url(host="localhost"), timeout_s=5, tls=trust) as line:
                await line.heard(within_s=20)


async def test_a_name_that_is_not_the_certificates_is_refused() -> None:
    """The certificate is trusted, and for another name."""
    server, trust = certified("localhost")
    async with head_node(server) as node:
        async with connected(node.url(host="localhost"), timeout_s=5, tls=trust) as line:
            assert await line.chain_id() == CHAIN_ID
        with pytest.raises(NodeUnavailable, match=r"^tls$") as refused:
            async with connected(node.url(f"/{KEY}"), timeout_s=5, tls=trust):
                pytest.fail("connected")
        unknown = await NewHeads([node.url(host="localhost")], block_time_s=2, timeout_s=5).reaches(CHAIN_ID)

    assert (refused.value.__cause__, refused.value.__suppress_context__) == (None, True)
    assert list(unknown.values()) == ["tls"]


async def test_each_address_is_named_and_says_what_is_wrong(node: HeadNode) -> None:
    """A good one has an empty text; one of another chain would wake at other blocks."""
    heads = NewHeads([node.url(f"/{KEY}"), f"ws://{KEY}@127.0.0.1:1/{KEY}"], block_time_s=2, timeout_s=5)
    good, nobody = f"127.0.0.1:{node.port}", "127.0.0.1:1"

    assert await heads.reaches(CHAIN_ID) == {good: "", nobody: "unreachable: ClientConnectorError"}
    assert (await heads.reaches(137))[good] == f"wrong_chain: {CHAIN_ID}"


async def test_pings_are_answered_and_pongs_passed_over(node: HeadNode) -> None:
    """A proxy between keeps the line open that way."""

    async def pings(line: web.WebSocketResponse) -> None:
        await line.pong(b"unasked")
        await line.ping(b"there?")
        heard.extend([await line.receive(), await line.receive()])
        await line.send_str('{"jsonrpc":"2.0","id":1,"result":"0x1"}')

    heard: list[WSMessage] = []
    node.after = pings
    async with connected(node.url(), timeout_s=5) as line:
        await line.subscribe()

    assert [message.data for message in heard if message.type is WSMsgType.PONG] == [b"there?"]


async def test_an_announcement_ends_the_pause(node: HeadNode, opened: Callable[..., NewHeads]) -> None:
    """A minute is not waited for."""
    pause = asyncio.create_task(opened(node.url()).pause(LONG_S))
    await node.subscribed.wait()
    await node.announce('{"jsonrpc":"2.0","id":7,"result":true}')  # says nothing about a head
    await asyncio.sleep(SHORT_S)
    paused_on = not pause.done()
    await node.announce()
    await pause

    assert paused_on
    assert node.asked == ["eth_subscribe"]


async def test_a_head_that_came_during_the_look_counts_and_an_older_one_does_not(
    node: HeadNode, opened: Callable[..., NewHeads]
) -> None:
    """The look may have read before the block; what was announced before it began, it has seen."""
    heads = opened(node.url(), block_time_s=1.0)
    await heads.pause(SHORT_S)
    await node.subscribed.wait()
    await node.announce()  # while it looks, for 300 ms
    await until(heads._announced.is_set)
    sooner = asyncio.create_task(heads.pause(0.7))
    beside = asyncio.create_task(asyncio.sleep(0.4))
    await asyncio.wait([sooner, beside], return_when=asyncio.FIRST_COMPLETED)
    ended_sooner = sooner.done() and not beside.done()
    await beside
    await node.announce()
    await until(heads._announced.is_set)
    await asyncio.sleep(SHORT_S)
    later = asyncio.create_task(heads.pause(1.0))  # its look begins now, after that head
    beside = asyncio.create_task(asyncio.sleep(0.8))
    await asyncio.wait([later, beside], return_when=asyncio.FIRST_COMPLETED)

    assert ended_sooner
    assert not later.done()


async def test_the_same_head_twice_ends_one_pause(node: HeadNode, opened: Callable[..., NewHeads]) -> None:
    """Some nodes announce it again; and a flood is many heads within a quarter of the block time."""
    heads = opened(node.url(), block_time_s=LONG_S)
    first = asyncio.create_task(heads.pause(LONG_S))
    await node.subscribed.wait()
    await node.announce()
    await first
    for _ in range(20):
        await node.announce()
    await asyncio.sleep(SHORT_S)

    assert not heads._announced.is_set()


@pytest.mark.parametrize(
    ("text", "pause_s"),
    [(HEAD, 0.0), (HEAD[:-2] + " " * (head_subscription.MESSAGE_BYTES_MAX // 2) + "}}", 0.02)],
    ids=["many", "long"],
)
async def test_a_flood_wakes_once_and_is_then_left_alone(
    node: HeadNode, opened: Callable[..., NewHeads], caplog: pytest.LogCaptureFixture, text: str, pause_s: float
) -> None:
    """Subscribed as it should be, and then more than can be true: the line is cut, the next one waits."""

    async def floods(line: web.WebSocketResponse) -> None:
        asked = json.loads((await line.receive()).data)
        await line.send_str(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": "0x1"}))
        while True:
            await line.send_str(text)
            await asyncio.sleep(pause_s)

    node.after = floods
    heads = opened(node.url(), block_time_s=0.2)
    while "new_heads_lost" not in caplog.text:
        await heads.pause(0.15)
    for _ in range(3):
        await heads.pause(0.15)

    assert '"detail": "flood", "again_in_ms": 1000' in caplog.text
    assert (node.connections, node.open) == (1, 0)


async def test_the_next_address_is_tried_when_one_fails(
    node: HeadNode, opened: Callable[..., NewHeads], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One after the other, each longer after the last, and from the first again in the end."""
    monkeypatch.setattr(new_heads, "DELAY_FIRST_S", 0.01)
    monkeypatch.setattr(new_heads, "DELAY_LONGEST_S", 0.025)
    bad = "ws://127.0.0.1:1"
    pause = asyncio.create_task(opened(f"{bad}/a", f"{bad}/b", f"{bad}/c", node.url()).pause(LONG_S))
    await node.subscribed.wait()
    await node.announce()
    await pause

    lost = [json.loads(record.message) for record in caplog.records if "new_heads_lost" in record.message]
    assert [each["node"] for each in lost] == ["127.0.0.1:1", "127.0.0.1:1#2", "127.0.0.1:1#3"]
    assert [each["again_in_ms"] for each in lost] == [10, 20, 25]


async def test_a_line_that_held_is_made_anew_soon(
    node: HeadNode, opened: Callable[..., NewHeads], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A provider that closes every few hours is no bad one."""
    monkeypatch.setattr(new_heads, "DELAY_FIRST_S", 0.01)
    monkeypatch.setattr(new_heads, "STEADY_S", 0.0)
    node.after = closing
    heads = opened(node.url(), block_time_s=SHORT_S)
    while caplog.text.count("new_heads_lost") < 3:
        await heads.pause(SHORT_S)

    lost = [json.loads(record.message) for record in caplog.records if "new_heads_lost" in record.message]
    assert {each["again_in_ms"] for each in lost} == {10}


async def test_a_line_that_has_died_is_found_out_by_its_silence(
    node: HeadNode, opened: Callable[..., NewHeads], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As after a freeze of the process: the socket is open, and nothing comes any more."""
    monkeypatch.setattr(new_heads, "SILENT_S_MIN", SHORT_S)
    monkeypatch.setattr(new_heads, "DELAY_FIRST_S", 0.01)
    heads = opened(node.url(), block_time_s=0.01)
    while node.connections < 2:
        await heads.pause(0.01)

    assert '"detail": "silent"' in caplog.text


async def test_the_line_lives_while_settlement_follows(
    node: HeadNode, opened: Callable[..., NewHeads], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """None before the first pause; one for all that follow each other; none some time after the last."""
    monkeypatch.setattr(new_heads, "LINGER_S", 0.1)
    heads = opened(node.url(), block_time_s=SHORT_S)
    before = node.connections
    for _ in range(5):
        await heads.pause(SHORT_S)
    meanwhile = (node.connections, node.open)
    await until(lambda: not node.open)
    await heads.pause(SHORT_S)
    await until(lambda: node.open == 1)
    await heads.aclose()
    await until(lambda: not node.open)

    assert (before, meanwhile, node.connections) == (0, (1, 1), 2)
    assert "new_heads_lost" not in caplog.text  # ended by us, not by its silence


async def test_what_was_saved_before_an_idle_time_delays_no_announcement(
    node: HeadNode, opened: Callable[..., NewHeads], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block time was saved when settlement last had something to follow; that bounds the next pauses, not these."""
    monkeypatch.setattr(new_heads, "LINGER_S", 0.6)
    heads = opened(node.url(), block_time_s=2.0)
    for _ in range(2):
        node.subscribed.clear()
        pause = asyncio.create_task(heads.pause(2.0))
        beside = asyncio.create_task(asyncio.sleep(1.0))
        await node.subscribed.wait()
        await node.announce()
        await asyncio.wait([pause, beside], return_when=asyncio.FIRST_COMPLETED)

        assert (pause.done(), beside.done()) == (True, False)
        await until(lambda: not node.open)


async def test_without_an_address_a_pause_is_a_sleep(opened: Callable[..., NewHeads]) -> None:
    """As it was before."""
    heads = opened()
    await heads.pause(SHORT_S)

    assert heads._line is None
    assert await heads.reaches(CHAIN_ID) == {}


async def test_a_look_that_took_the_whole_block_time_is_followed_by_no_pause(
    node: HeadNode, opened: Callable[..., NewHeads]
) -> None:
    """And opens no line for it."""
    await opened(node.url()).pause(0)

    assert node.connections == 0


async def test_what_nobody_expected_ends_no_pause_and_is_told(
    node: HeadNode, opened: Callable[..., NewHeads], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its kind is in the log as an error, without its text, and the next line waits as after any other fault."""

    async def breaks(*_arguments: object) -> None:
        raise LookupError(KEY)

    heads = opened(node.url(), block_time_s=SHORT_S)
    monkeypatch.setattr(heads, "_hear", breaks)
    for _ in range(3):
        await heads.pause(SHORT_S)

    (record,) = [record for record in caplog.records if "new_heads_broken" in record.message]
    assert (record.levelno, json.loads(record.message)["detail"]) == (logging.ERROR, "LookupError")
    assert KEY not in caplog.text
