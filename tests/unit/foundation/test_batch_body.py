"""A group's body is what the client library would have sent, and its answer is read as the library reads it."""

from __future__ import annotations

import base64
import json
import re

import pytest

from foundation.tablestore import batch_body
from foundation.tablestore.batch_body import RowAnswer, UnreadableGroupAnswer
from foundation.tablestore.ports import DeleteRow, InsertRow, OutcomeUnknown, ReplaceRow, RowWrite, Version

URL = "https://account.table.core.windows.net/ledger"
ETAG = "W/\"datetime'2026-11-30T04%3A11%3A09.45Z'\""
INSERT = InsertRow(
    key="order:default:1",
    values={"text": "é\r\n--batch", "nonce": 2**53, "flag": True, "bytes": b"\x00\x01"},
)
GROUP: list[RowWrite] = [INSERT, ReplaceRow(key="it's", values={}, version=Version(ETAG)), DeleteRow(key="open:1")]


def _answer(*messages: str, outer: str = "batchresponse_1", inner: str = "changesetresponse_2") -> tuple[str, bytes]:
    """Return an answer as the service writes it."""
    head = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    parts = "".join(f"--{inner}\r\n{head}{message}\r\n" for message in messages)
    changes = f"Content-Type: multipart/mixed; boundary={inner}\r\n\r\n{parts}--{inner}--\r\n"
    return f"multipart/mixed; boundary={outer}", f"--{outer}\r\n{changes}--{outer}--\r\n".encode()


def test_each_row_is_a_request_of_its_own_in_one_change_set() -> None:
    """Inserted, replaced on its version, deleted whatever its version; each key quoted as an address wants it."""
    body = batch_body.encode_group(URL, "137", GROUP)
    text = body.content.decode()

    outer = body.content_type.removeprefix("multipart/mixed; boundary=")
    inner = re.findall(r"Content-Type: multipart/mixed; boundary=(\S+)", text)
    assert text.count(f"--{outer}") == 2
    assert text.count(f"--{inner[0]}") == len(GROUP) + 1
    assert re.findall(r"\r\n\r\n((?:POST|PUT|DELETE) \S+)", text) == [
        f"POST {URL}",
        f"PUT {URL}(PartitionKey='137',RowKey='it%27%27s')",
        f"DELETE {URL}(PartitionKey='137',RowKey='open%3A1')",
    ]
    assert re.findall(r"If-Match: (\S+)", text) == [ETAG, "*"]
    assert re.findall(r"Content-ID: (\d)", text) == ["0", "1", "2"]


def test_a_value_travels_with_the_type_it_is_stored_under() -> None:
    """A number is an Int64, whatever its size; a text's line ends are escaped, so that it can be no boundary."""
    entity = json.loads(re.findall(rb"\r\n\r\n(\{.*\})\r\n", batch_body.encode_group(URL, "137", [INSERT]).content)[0])

    assert entity == {
        "PartitionKey": "137",
        "RowKey": "order:default:1",
        "text": "é\r\n--batch",
        "nonce": str(2**53),
        "nonce@odata.type": "Edm.Int64",
        "flag": True,
        "bytes": base64.b64encode(b"\x00\x01").decode(),
        "bytes@odata.type": "Edm.Binary",
    }


def test_no_two_groups_have_the_same_boundary() -> None:
    """A row's text that was guessed to be one would part the body elsewhere."""
    types = {batch_body.encode_group(URL, "137", GROUP).content_type for _ in range(3)}

    assert len(types) == 3


def test_the_versions_of_what_was_written_are_read() -> None:
    """In the order of the rows; header names in any case; a body after them changes nothing."""
    answered = batch_body.decode_answer(
        *_answer(
            f'HTTP/1.1 201 Created\r\nETag: {ETAG}\r\n\r\n{{"RowKey":"a"}}',
            'HTTP/1.1 204 No Content\r\netag: W/"2"\r\n\r\n',
            "HTTP/1.1 204 No Content\r\n\r\n",
        )
    )

    assert [part.status for part in answered] == [201, 204, 204]
    assert batch_body.written_versions(GROUP, answered) == {"order:default:1": Version(ETAG), "it's": Version('W/"2"')}


def test_a_refused_group_is_one_part_with_a_code() -> None:
    """As the service answers: the first row that could not be written."""
    said = '{"odata.error":{"code":"EntityAlreadyExists","message":{"value":"0:It exists."}}}'

    assert batch_body.decode_answer(*_answer(f"HTTP/1.1 409 Conflict\r\n\r\n{said}")) == [
        RowAnswer(status=409, etag="", code="EntityAlreadyExists")
    ]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'{"odata.error": {"code": "TableNotFound"}}', "TableNotFound"),
        (b'<?xml version="1.0"?><m:error><m:code>AuthenticationFailed</m:code></m:error>', "AuthenticationFailed"),
        (b"<Error><Code>ServerBusy</Code></Error>", "ServerBusy"),
        (b"Bad Gateway", ""),
    ],
)
def test_the_code_of_an_error_is_read_from_json_and_xml(content: bytes, code: str) -> None:
    """The service writes either; a proxy before it, neither."""
    assert batch_body.error_code(content) == code


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("text/html", b"<html>"),
        ("multipart/mixed", b"--x"),
        _answer("what is this?"),
    ],
    ids=["another type", "no boundary", "no status"],
)
def test_an_answer_that_is_none_says_nothing(content_type: str, content: bytes) -> None:
    """Neither done nor refused."""
    with pytest.raises(UnreadableGroupAnswer):
        batch_body.decode_answer(content_type, content)


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [RowAnswer(status=204, etag="1", code="")],
        [
            RowAnswer(status=204, etag="", code=""),
            RowAnswer(status=204, etag="1", code=""),
            RowAnswer(status=204, etag="", code=""),
        ],
    ],
    ids=["no row", "too few rows", "a row without a version"],
)
def test_rows_without_a_word_are_an_unknown_outcome(parts: list[RowAnswer]) -> None:
    """The group is read back; nothing is stored under an empty version."""
    with pytest.raises(OutcomeUnknown):
        batch_body.written_versions(GROUP, parts)
