"""What an answer of the table service means: who must act, and whether something may have been done."""

from __future__ import annotations

import pytest
from azure.data.tables import TableErrorCode

from foundation.errors import ConfigurationError, InvariantBroken, NoTable
from foundation.tablestore.ports import OutcomeUnknown, WriteConflict
from foundation.tablestore.table_errors import GroupRefused, service_error


@pytest.mark.parametrize(
    ("status", "code", "meant"),
    [
        (401, None, ConfigurationError),
        (403, "AuthorizationPermissionMismatch", ConfigurationError),
        (None, TableErrorCode.AUTHENTICATION_FAILED, ConfigurationError),
        (404, TableErrorCode.TABLE_NOT_FOUND, NoTable),
        (409, TableErrorCode.TABLE_BEING_DELETED, NoTable),
        (404, TableErrorCode.RESOURCE_NOT_FOUND, WriteConflict),
        (409, TableErrorCode.ENTITY_ALREADY_EXISTS, WriteConflict),
        (412, TableErrorCode.UPDATE_CONDITION_NOT_SATISFIED, WriteConflict),
        (400, TableErrorCode.INVALID_INPUT, InvariantBroken),
        (413, TableErrorCode.REQUEST_BODY_TOO_LARGE, InvariantBroken),
        (500, None, OutcomeUnknown),
        (503, "ServerBusy", OutcomeUnknown),
        (None, None, OutcomeUnknown),
    ],
)
def test_an_answer_has_one_meaning(status: int | None, code: str | None, meant: type[Exception]) -> None:
    """Of a group as of a single row; what says nothing of use leaves the outcome unknown."""
    assert type(service_error(status, code, "said", OutcomeUnknown)) is meant


def test_a_refused_group_says_status_and_code() -> None:
    """Of the answer, or of the first row that was refused; there may be no code."""
    refused = GroupRefused(409, "EntityAlreadyExists")

    assert (refused.status, refused.code) == (409, "EntityAlreadyExists")
    assert [str(refused), str(GroupRefused(503, ""))] == [
        "TableTransactionError 409 EntityAlreadyExists",
        "TableTransactionError 503",
    ]
