"""
A group of rows as the table service reads it, and its answer.

The client library writes and reads these bodies with the standard library's mail package, which made two thirds of the
processor time of a webhook. Both are a few fixed lines around the rows. What the library does around them is still its:
signing, identities, resending, connections.

Source: https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote
from uuid import uuid4

from foundation.tablestore.ports import DeleteRow, InsertRow, OutcomeUnknown, RowWrite, Value, Version

_LINE = b"\r\n"
_BOUNDARY = re.compile(r'multipart/mixed;\s*boundary="?([^";\s]+)"?', re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3})")
_ETAG = re.compile(rb"\r\netag:[ \t]*([^\r\n]+)", re.IGNORECASE)
_CODE = re.compile(rb'"code"\s*:\s*"(\w+)"|<(?:\w+:)?code>(\w+)<', re.IGNORECASE)
_METADATA = "application/json;odata=minimalmetadata"


class UnreadableGroupAnswer(Exception):
    """The service does not answer like this: what became of the group is not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowAnswer:
    """What the service says of one row: a status, the row's new version, or the error's code; each empty where none."""

    status: int
    etag: str
    code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupBody:
    """A request's body, and the type it is sent under."""

    content_type: str
    content: bytes


def encode_group(table_url: str, partition: str, group: Sequence[RowWrite]) -> GroupBody:
    """Return *group* as one change set for the table at *table_url*, all of its rows in *partition*."""
    token = uuid4().hex
    requests = [_request(table_url, partition, write) for write in group]
    changes = _joined(f"changeset_{token}", [_numbered(number, each) for number, each in enumerate(requests)])
    inner = f"Content-Type: multipart/mixed; boundary=changeset_{token}\r\n\r\n".encode() + changes
    boundary = f"batch_{token}"
    return GroupBody(content_type=f"multipart/mixed; boundary={boundary}", content=_joined(boundary, [inner]))


def decode_answer(content_type: str, content: bytes) -> Sequence[RowAnswer]:
    """Return what is said of each row, in order; of a refused group, one answer. Raises UnreadableGroupAnswer."""
    return list(_parts(content_type, content))


def written_versions(group: Sequence[RowWrite], parts: Sequence[RowAnswer]) -> Mapping[str, Version]:
    """Return the version that each row of *group* has now, but for deleted ones. OutcomeUnknown if one has no word."""
    if len(parts) != len(group):
        raise OutcomeUnknown(f"the ledger's storage answered {len(parts)} rows of a group of {len(group)}")
    written = [(write, part) for write, part in zip(group, parts, strict=True) if not isinstance(write, DeleteRow)]
    if not all(part.etag for _, part in written):
        raise OutcomeUnknown("the ledger's storage gave no version of a row it wrote")
    return {write.key: Version(part.etag) for write, part in written}


def error_code(content: bytes) -> str:
    """Return the service's word for an error in the body of an answer, JSON or XML; empty where there is none."""
    found = _CODE.search(content)
    return (found[1] or found[2]).decode() if found else ""


def _joined(boundary: str, parts: Sequence[bytes]) -> bytes:
    mark = f"--{boundary}".encode()
    return b"".join(mark + _LINE + part + _LINE for part in parts) + mark + b"--" + _LINE


def _numbered(number: int, request: bytes) -> bytes:
    head = f"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {number}\r\n\r\n"
    return head.encode() + request


def _request(table_url: str, partition: str, write: RowWrite) -> bytes:
    match write:
        case InsertRow():
            body = _entity(partition, write.key, write.values)
            return _message(f"POST {table_url}", _METADATA, "Prefer: return-no-content", body)
        case DeleteRow():
            return _message(f"DELETE {_row_url(table_url, partition, write.key)}", _METADATA, "If-Match: *")
        case _:
            body = _entity(partition, write.key, write.values)
            condition = f"If-Match: {write.version.etag}"
            return _message(f"PUT {_row_url(table_url, partition, write.key)}", "application/json", condition, body)


def _message(line: str, accept: str, header: str, body: bytes | None = None) -> bytes:
    typed = () if body is None else ("Content-Type: application/json", f"Content-Length: {len(body)}")
    head = [f"{line} HTTP/1.1", *typed, "DataServiceVersion: 3.0", f"Accept: {accept}", header]
    return "\r\n".join(head).encode() + _LINE + _LINE + (body or b"")


def _row_url(table_url: str, partition: str, key: str) -> str:
    return f"{table_url}(PartitionKey='{_quoted(partition)}',RowKey='{_quoted(key)}')"


def _quoted(key: str) -> str:
    return quote(key.replace("'", "''"), safe="")


def _entity(partition: str, key: str, values: Mapping[str, Value]) -> bytes:
    columns: dict[str, str | bool] = {"PartitionKey": partition, "RowKey": key}
    for name, value in values.items():
        columns |= _column(name, value)
    return json.dumps(columns).encode()


def _column(name: str, value: Value) -> dict[str, str | bool]:
    """Return *value* for the wire; a plain int would be an Int32, too small for a time or a nonce."""
    if isinstance(value, bytes):
        return {name: base64.b64encode(value).decode(), f"{name}@odata.type": "Edm.Binary"}
    if isinstance(value, int) and not isinstance(value, bool):
        return {name: str(value), f"{name}@odata.type": "Edm.Int64"}
    return {name: value}


def _parts(content_type: str, content: bytes) -> Iterator[RowAnswer]:
    """Go down to the single answers; a boundary is at the beginning of a line, where no text of a row can be."""
    boundary = _BOUNDARY.search(content_type)
    if not boundary:
        raise UnreadableGroupAnswer(f"an answer of the type {content_type[:80]!r}")
    for part in (_LINE + content).split(b"\r\n--" + boundary[1].encode())[1:]:
        head, _, body = part.partition(_LINE + _LINE)
        nested = _BOUNDARY.search(head.decode("latin-1"))
        if nested:
            yield from _parts(nested[0], body)
        elif body:
            yield _part(body)


def _part(message: bytes) -> RowAnswer:
    head, _, body = message.partition(_LINE + _LINE)
    status, etag = _STATUS.match(head), _ETAG.search(head)
    if not status:
        raise UnreadableGroupAnswer("an answer without a status")
    return RowAnswer(status=int(status[1]), etag=etag[1].decode("latin-1") if etag else "", code=error_code(body))
