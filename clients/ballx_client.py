"""
A shop's side of the BALLX Distributor in one file: copy it; Python 3.9 or later, standard library only.

    client = BallxClient("https://pay.example.com/webhook", secret)
    client.pay({"order_id": "1001", "wallet": "0x…", "amount": "10.5"})
    client.status("1001")["status"]        # received, submitted, mined, paid, held, cancelled

An order is paid once, however often it is sent: what had no answer is sent again, with a new time in its signature.
What is refused stays refused, and raises at once with the service's own explanation.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

RETRY_AFTER_S_MAX = 600
"""However long the service asks us to wait, a caller's program goes on after this."""


class Refused(Exception):
    """The service says no, and will say no again: correct the order or the secret. ``problem`` is its document."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('code', '')}: {problem.get('detail', 'no explanation')}")
        self.status, self.problem = status, problem


class NoAnswer(Exception):
    """Nobody knows whether the order is stored: send the same order again later. It is paid once."""


class _Unmoved(urllib.request.HTTPRedirectHandler):
    """Follow nothing: a signed order goes to the address that was configured, and nowhere else."""

    def redirect_request(self, *_args: Any, **_named: Any) -> None:
        return None


class BallxClient:
    """
    Send orders, and ask where they are.

    Args:
        webhook_url: The whole address, which ends with ``/webhook``.
        secret: The shop's secret.
        waits_s: Seconds before each try; ``Retry-After`` of the service counts where it is longer.
        timeout_s: Of one try.
        sleep: Waits.
        clock: The time, Unix seconds; the service refuses one that is more than five minutes off.
    """

    def __init__(
        self,
        webhook_url: str,
        secret: str,
        *,
        waits_s: Sequence[float] = (0, 10, 60, 300),
        timeout_s: float = 15,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not webhook_url.endswith("/webhook"):
            raise ValueError("webhook_url must end with /webhook")
        self._base, self._secret = webhook_url[: -len("/webhook")], secret
        self._waits_s, self._timeout_s, self._sleep, self._clock = waits_s, timeout_s, sleep, clock
        self._opener = urllib.request.build_opener(_Unmoved)

    def pay(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """
        Send *order* until it is stored; return where it is. The amount is text, ``"10.5"``: a float is rounded.

        Raises:
            Refused: It can never be paid as it is, or the signature is wrong.
            NoAnswer: Send the same order again later.
        """
        if isinstance(order.get("amount"), float):
            raise TypeError('amount must be text, such as "10.5": a float is rounded')
        body = json.dumps(order).encode()  # once: these bytes are signed and sent, at each try
        return self._asked("POST", "/webhook", body, body, str(order.get("order_id")))

    def status(self, order_id: str) -> Mapping[str, Any]:
        """Return where an order of this shop is. Raises as ``pay``; Refused with status 404 where there is none."""
        path = f"/shop/orders/{order_id}"
        return self._asked("GET", path, f"GET {path}".encode(), None, order_id)

    def _asked(
        self,
        method: str,
        path: str,
        signed: bytes,
        body: Optional[bytes],  # noqa: UP045 -- Python 3.9
        order_id: str,
    ) -> Mapping[str, Any]:
        least_s, why = 0.0, "never tried"
        for wait_s in self._waits_s:
            self._sleep(max(wait_s, least_s))
            sent = int(self._clock())
            digest = hmac.new(self._secret.encode(), f"{sent}.".encode() + signed, hashlib.sha256).hexdigest()
            headers = {"Content-Type": "application/json", "X-WP-Signature": f"t={sent},v1={digest}"}
            url = self._base + urllib.parse.quote(path)
            request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310 -- the shop configures it
            try:
                status, document, retry_after = self._answer(request)
            except (OSError, http.client.HTTPException) as error:  # no answer, or half of one
                least_s, why = 0.0, f"{type(error).__name__}: {error}"
                continue
            if status in (200, 202) and str(document.get("order_id")) == order_id:
                return document
            if _is_refusal(status, document):
                raise Refused(status, document)
            least_s, why = _retry_after_s(retry_after), f"{status} {document}"
        raise NoAnswer(f"{method} {path}: {why}")

    def _answer(self, request: urllib.request.Request) -> tuple[int, Mapping[str, Any], Optional[str]]:  # noqa: UP045 -- Python 3.9
        """Return status, document and Retry-After of one try."""
        try:
            answer = self._opener.open(request, timeout=self._timeout_s)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.status, _document(answer.read()), answer.headers.get("Retry-After")


def _is_refusal(status: int, document: Mapping[str, Any]) -> bool:
    """Say whether the service itself says no: a proxy's page, or a stopped app's, decides nothing about an order."""
    return 400 <= status < 500 and status not in (408, 429) and "code" in document  # noqa: PLR2004 -- HTTP's own numbers


def _document(body: bytes) -> Mapping[str, Any]:
    """Return the JSON object in *body*; a proxy in between may answer with something else."""
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"detail": body[:500].decode("utf-8", "replace")}


def _retry_after_s(value: Optional[str]) -> float:  # noqa: UP045 -- Python 3.9
    return min(float(value), RETRY_AFTER_S_MAX) if value is not None and value.isdecimal() else 0.0
