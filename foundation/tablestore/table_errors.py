"""What an answer of the table service means to us, whether the library read it or we did."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.data.tables import TableErrorCode

from foundation.errors import ConfigurationError, InvariantBroken, NoTable
from foundation.tablestore.ports import WriteConflict

_SIGN_IN_REFUSED = (TableErrorCode.AUTHENTICATION_FAILED, TableErrorCode.INVALID_AUTHENTICATION_INFO)


class GroupRefused(Exception):
    """The service did not do a group: the status and the code of its answer, or of the first row it refused."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"TableTransactionError {status} {code}".strip())
        self.status, self.code = status, code


def library_error(error: AzureError, unanswered: Callable[[str], Exception]) -> Exception:
    """
    Return our error for the library's.

    A request that the library says was never sent may have been: its transport says so of a connection cut while it
    waited.
    """
    status = error.status_code if isinstance(error, HttpResponseError) else None
    code = getattr(error, "error_code", None)  # an enum's member, its value as text, or nothing: as the call has it
    said = f"{type(error).__name__} {status or ''} {getattr(code, 'value', code) or ''}".strip()
    refused = isinstance(error, ClientAuthenticationError)
    return service_error(HTTPStatus.UNAUTHORIZED if refused else status, code, said, unanswered)


def service_error(status: int | None, code: str | None, said: str, unanswered: Callable[[str], Exception]) -> Exception:
    """
    Return our error for what the service answered; of a group, the status of its first failed row.

    Source: https://learn.microsoft.com/rest/api/storageservices/table-service-error-codes
    """
    if status in (401, 403) or code in _SIGN_IN_REFUSED:
        return ConfigurationError(f"the ledger's storage account refuses this service's sign-in ({said})")
    if code in (TableErrorCode.TABLE_NOT_FOUND, TableErrorCode.TABLE_BEING_DELETED):
        return NoTable(f"the ledger's table does not exist: init makes a new one, rebuild a lost one ({said})")
    if status in (404, 409, 412):
        return WriteConflict(said)
    if status in (400, 413):
        return InvariantBroken(f"the ledger's storage calls our request malformed ({said})")
    return unanswered(f"no usable answer from the ledger's storage ({said})")
