"""The alarms about telling the shops, in both languages. None of them stops a payout."""

from __future__ import annotations

from collections.abc import Mapping

from foundation.alarms.catalogue import Severity, Text

CALL_BACKS_STOPPED, CALL_BACKS_GONE = "callbacks_stopped", "callbacks_gone"
CALL_BACK_GIVEN_UP, CALL_BACKS_SILENT, CALL_BACKS_UNSIGNED = (
    "callback_given_up",
    "callbacks_silent",
    "callbacks_unsigned",
)

ENGLISH: Mapping[str, tuple[Severity, bool, str, str]] = {
    # code: severity, whether it is an event (sent once, no end), summary, action
    CALL_BACKS_STOPPED: (
        Severity.ERROR,
        False,
        "A shop's address has failed for a day; its call-backs are stored and not sent.",
        "Let the shop repair its receiver, then `callbacks test SOURCE`: the newest state of each order is sent.",
    ),
    CALL_BACKS_GONE: (
        Severity.ERROR,
        False,
        "A shop's address answered 410, gone; its call-backs are stored and not sent.",
        "Ask the shop. Set its new CALLBACK_URL, remove the setting, or `callbacks test SOURCE` if it is back.",
    ),
    CALL_BACKS_SILENT: (
        Severity.ERROR,
        False,
        "For ten minutes nobody has looked at what the shops are to be told.",
        "Look whether the timer function `call_backs` is disabled or fails, and at CALLBACK_URL. Nothing is lost.",
    ),
    CALL_BACKS_UNSIGNED: (
        Severity.ERROR,
        False,
        "A shop has an address and no secret that its call-backs could be signed with; they are stored.",
        "Set its WEBHOOK_SECRET, or say whose a new one is (`shops same-as`); or remove its CALLBACK_URL.",
    ),
    CALL_BACK_GIVEN_UP: (
        Severity.WARNING,
        True,
        "A shop was not told what became of an order, in ten attempts.",
        "Read the answers (`callbacks list SOURCE`), let the shop repair its receiver, then `callbacks resend`.",
    ),
}

PORTUGUESE: Mapping[str, Text] = {
    CALL_BACKS_STOPPED: Text(
        summary="O endereço de uma loja falha há um dia; seus avisos são guardados e não são enviados.",
        action="A loja conserta o receptor; depois `callbacks test SOURCE`: vai o estado mais novo de cada pedido.",
    ),
    CALL_BACKS_GONE: Text(
        summary="O endereço de uma loja respondeu 410, não existe mais; seus avisos são guardados e não enviados.",
        action="Pergunte à loja. Configure o novo CALLBACK_URL, tire-o, ou `callbacks test SOURCE` se ele voltou.",
    ),
    CALL_BACKS_SILENT: Text(
        summary="Há dez minutos ninguém olha o que se deve avisar às lojas.",
        action="Veja se a função de timer `call_backs` está desligada ou falha, e CALLBACK_URL. Nada se perde.",
    ),
    CALL_BACKS_UNSIGNED: Text(
        summary="Uma loja tem um endereço e nenhum segredo com que se possam assinar seus avisos; eles são guardados.",
        action="Configure o WEBHOOK_SECRET dela, ou diga de quem é um novo (`shops same-as`); ou tire o CALLBACK_URL.",
    ),
    CALL_BACK_GIVEN_UP: Text(
        summary="Uma loja não foi avisada, em dez tentativas, do que aconteceu com um pedido.",
        action="Leia as respostas (`callbacks list SOURCE`); a loja conserta o receptor; depois `callbacks resend`.",
    ),
}
