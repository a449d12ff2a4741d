"""Every alarm of PayFlow: its code, how bad it is, what it means, what to do. Codes are promises."""

from __future__ import annotations

from foundation.alarms.catalogue import SHARED, AlarmKind, Catalogue, Severity, Text


def _kind(code: str, severity: Severity, en: tuple[str, str], pt: tuple[str, str]) -> AlarmKind:
    texts = {"en": Text(summary=en[0], action=en[1]), "pt": Text(summary=pt[0], action=pt[1])}
    return AlarmKind(code=code, severity=severity, texts={"en": texts["en"], "pt": texts["pt"]})


CATALOGUE = Catalogue(
    [
        *SHARED,
        _kind(
            "needs_reconnect",
            Severity.CRITICAL,
            (
                "Conta Azul no longer takes a clinic's connection; nothing is found for it.",
                "Send the clinic an invitation: python3 -m payflow invite --company COMPANY.",
            ),
            (
                "O Conta Azul não aceita mais a conexão de uma clínica; nenhum pagamento é encontrado.",
                "Envie um convite à clínica: python3 -m payflow invite --company EMPRESA.",
            ),
        ),
        _kind(
            "blocked_plan",
            Severity.ERROR,
            (
                "A clinic's plan at Conta Azul has no API (END_TRIAL); it is asked again each hour.",
                "Tell the clinic; nothing is to be done here.",
            ),
            (
                "O plano de uma clínica no Conta Azul não tem API (END_TRIAL); a consulta se repete a cada hora.",
                "Avise a clínica; aqui não há nada a fazer.",
            ),
        ),
        _kind(
            "api_refused",
            Severity.ERROR,
            (
                "Conta Azul calls a request of ours wrong; the API may have changed.",
                "Look at the log line and at Conta Azul's change log. Payments are found again once it answers.",
            ),
            (
                "O Conta Azul recusa uma consulta nossa; a API pode ter mudado.",
                "Veja o log e o changelog do Conta Azul. Os pagamentos são encontrados quando ele voltar a responder.",
            ),
        ),
        _kind(
            "rescue_unreachable",
            Severity.ERROR,
            (
                "The second storage account did not take a renewed token; the ledger has the only copy.",
                "Check SEND_LOG_CONNECTION and the account. The next renewal is stored in both again.",
            ),
            (
                "A segunda conta de armazenamento não guardou um token renovado; o livro tem a única cópia.",
                "Verifique SEND_LOG_CONNECTION e a conta. A próxima renovação volta a ser guardada nas duas.",
            ),
        ),
        _kind(
            "look_unsettled",
            Severity.WARNING,
            (
                "A list of instalments still changed in its third pass, or had no end.",
                "If it stays, compare the clinic's payments of the day with `receipts`.",
            ),
            (
                "Uma lista de parcelas ainda mudava na terceira leitura, ou não tinha fim.",
                "Se continuar, compare os pagamentos do dia da clínica com `receipts`.",
            ),
        ),
        _kind(
            "instalment_unreadable",
            Severity.ERROR,
            (
                "An instalment's payments cannot be read, or do not add up to what the list says is paid.",
                "Look at the instalment in Conta Azul; it is read again each hour.",
            ),
            (
                "As baixas de uma parcela não podem ser lidas, ou não somam o valor pago da lista.",
                "Veja a parcela no Conta Azul; ela é lida de novo a cada hora.",
            ),
        ),
        _kind(
            "receipt_internal",
            Severity.ERROR,
            (
                "A receipt met five unexpected errors and is held.",
                "Look at the log lines receipt_fault of this payment.",
            ),
            (
                "Um recibo teve cinco erros inesperados e está retido.",
                "Veja as linhas receipt_fault deste pagamento no log.",
            ),
        ),
        _kind(
            "not_configured",
            Severity.CRITICAL,
            (
                "A setting is missing or wrong; nothing is found or sent.",
                "Correct the setting; /ready names it. Nothing is lost meanwhile.",
            ),
            (
                "Uma configuração falta ou está errada; nada é encontrado nem enviado.",
                "Corrija a configuração; /ready diz qual. Nada se perde enquanto isso.",
            ),
        ),
        _kind(
            "poison_message",
            Severity.ERROR,
            (
                "A lane failed five times in a row on one wake-up: a bug.",
                "Look up the exceptions in the log. The timer goes on waking it.",
            ),
            (
                "Uma fila falhou cinco vezes seguidas: um erro do programa.",
                "Procure as exceções no log. O temporizador continua acordando a fila.",
            ),
        ),
    ]
)
