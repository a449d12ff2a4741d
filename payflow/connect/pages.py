"""
The pages a clinic sees while it connects: Portuguese, without scripts, nothing loaded from elsewhere.

A page that is only opened changes nothing; the button does.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final
from urllib.parse import quote, urlsplit

from foundation.http.html import HtmlPage
from payflow.connect.connecting import BegunSignIn, ConnectOutcome

COOKIE: Final = "__Host-payflow-connect"
"""``__Host-``: set by this host alone, over TLS, for the whole host."""
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Content-Type": "text/html; charset=utf-8",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_STYLE: Final = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:12vh auto;padding:0 1rem;color:#1c2b33}"
    "button{font:inherit;padding:.7rem 1.4rem;border:0;border-radius:.4rem;background:#0b6bcb;color:#fff}"
    "h1{font-size:1.6rem}"
)
_OUTCOMES: Final[Mapping[ConnectOutcome, tuple[int, str, str]]] = {
    ConnectOutcome.CONNECTED: (
        200,
        "Conta conectada",
        (
            "A partir de agora, cada pagamento registrado no Conta Azul gera um recibo por e-mail. "
            "Os pagamentos anteriores não são enviados. Você pode fechar esta página."
        ),
    ),
    ConnectOutcome.CONFIRM: (
        200,
        "Conta conectada, aguardando confirmação",
        "Antes do primeiro envio, o operador confere o nome e o documento da empresa. Você pode fechar esta página.",
    ),
    ConnectOutcome.DENIED: (
        403,
        "A conexão não foi autorizada",
        "O Conta Azul informou que o acesso foi recusado. Abra o convite novamente para tentar outra vez.",
    ),
    ConnectOutcome.WRONG_COMPANY: (
        403,
        "Esta não é a empresa convidada",
        (
            "O usuário pertence a outra empresa do Conta Azul. Nada foi guardado. "
            "Saia do Conta Azul, entre com o usuário da empresa convidada e abra o convite novamente."
        ),
    ),
    ConnectOutcome.ELSEWHERE: (
        409,
        "Outra instalação do PayFlow já atende esta empresa",
        (
            "Nada foi guardado, e nenhum recibo é enviado duas vezes. O operador precisa desligar a empresa na outra "
            "instalação antes de conectá-la aqui."
        ),
    ),
    ConnectOutcome.FAILED: (
        502,
        "O Conta Azul não respondeu",
        "A conexão não foi concluída. Aguarde um minuto e abra o convite novamente.",
    ),
    ConnectOutcome.WORKING: (
        409,
        "A conexão está em andamento",
        "Atualize esta página em alguns segundos. Se nada mudar, abra o convite novamente.",
    ),
}


def invitation_page(action: str, authorize_url: str) -> HtmlPage:
    """
    Return the invitation's page.

    Args:
        action: Where its button posts to, on the host of the redirect URI: the cookie belongs to that host alone.
        authorize_url: Where the answer to that redirects to; a browser asks the page whether a form may lead there.
    """
    text = (
        "<p>O PayFlow envia por e-mail o recibo de cada pagamento registrado no Conta Azul. "
        "Para isso, ele lê as contas a receber, as baixas e os contatos. Ele não altera nada.</p>"
        "<p>Use o usuário e a senha do ERP Conta Azul da sua empresa.</p>"
        f'<form method="post" action="{escape(action)}"><button>Conectar ao Conta Azul</button></form>'
    )
    policy = f"{_HEADERS['Content-Security-Policy']}; form-action {_origin(action)} {_origin(authorize_url)}"
    return _page(200, "Conectar ao Conta Azul", text, {"Content-Security-Policy": policy})


def no_invitation() -> HtmlPage:
    """Return the page of an invitation that is not valid."""
    return _page(404, "Convite inválido", "<p>O convite não existe ou expirou. Peça um novo convite ao operador.</p>")


def no_sign_in() -> HtmlPage:
    """Return the page of an answer that belongs to no sign-in of this browser."""
    text = "<p>O login expirou ou foi iniciado em outro navegador. Nada foi guardado. Abra o convite novamente.</p>"
    return _page(400, "Login inválido", text)


def sign_in_begun(sign_in: BegunSignIn) -> HtmlPage:
    """Return the way to Conta Azul, with the cookie that the answer must bring back."""
    cookie = f"{COOKIE}={sign_in.cookie}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600"
    return _page(303, "Conta Azul", "", {"Location": sign_in.location, "Set-Cookie": cookie})


def outcome(result: ConnectOutcome, office: str = "") -> HtmlPage:
    """Return what came of a sign-in, and where the office of the company *office* finds what waits for it."""
    status, title, text = _OUTCOMES[result]
    link = escape(f"/office/{quote(office, safe='')}")
    more = (
        "<p>Recibos que precisam de uma decisão sua, e os que foram enviados, ficam na página do financeiro. "
        f'Guarde o endereço: <a href="{link}">página do financeiro</a>. Para entrar, ela envia um código ao e-mail da '
        "empresa no Conta Azul.</p>"
    )
    return _page(status, title, f"<p>{text}</p>{more if office else ''}")


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _page(status: int, title: str, body: str, headers: Mapping[str, str] | None = None) -> HtmlPage:
    text = (
        f'<!doctype html><html lang="pt-BR"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><h1>{title}</h1>{body}</body></html>"
    )
    return HtmlPage(status=status, body=text, headers={**_HEADERS, **(headers or {})})
