"""Every alarm of PayFlow: its code, how bad it is, what it means, what to do. Codes are promises."""

from __future__ import annotations

from foundation.alarms.catalogue import SHARED, SIGHTING_MS, AlarmKind, Catalogue, Severity, Text


def _kind(
    code: str,
    severity: Severity,
    en: tuple[str, str],
    pt: tuple[str, str],
    *,
    stops: bool = True,
    sighting_ms: int = SIGHTING_MS,
) -> AlarmKind:
    english, portuguese = Text(summary=en[0], action=en[1]), Text(summary=pt[0], action=pt[1])
    return AlarmKind(
        code=code,
        severity=severity,
        texts={"en": english, "pt": portuguese},
        stops=stops,
        sighting_ms=sighting_ms,
    )


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
            "served_elsewhere",
            Severity.CRITICAL,
            (
                "Another deployment of PayFlow serves this clinic: nothing is found or sent here, and nothing is lost.",
                "Keep one: `disconnect COMPANY` there and `resume COMPANY` here, or `disconnect COMPANY` here.",
            ),
            (
                "Outra instalação do PayFlow atende esta clínica: aqui nada é procurado nem enviado, e nada se perde.",
                "Fique com uma: `disconnect EMPRESA` lá e `resume EMPRESA` aqui, ou `disconnect EMPRESA` aqui.",
            ),
            stops=False,
        ),
        _kind(
            "company_not_looked_at",
            Severity.ERROR,
            (
                "A company was not looked at for three intervals: no lane runs, or Conta Azul is away.",
                "Look at the log and at `cursor COMPANY`. Nothing is lost: the next look goes back as far.",
            ),
            (
                "Uma empresa não foi lida por três intervalos: a fila não roda, ou o Conta Azul não responde.",
                "Veja o log da fila e `cursor EMPRESA`. Nada se perde: a próxima leitura volta até lá.",
            ),
            stops=False,
        ),
        _kind(
            "receipts_overdue",
            Severity.WARNING,
            (
                "A receipt has been due for an hour: the mail limits are used up, or the lane is too slow.",
                "Look at `sender` and at `receipts COMPANY`.",
            ),
            (
                "Um recibo venceu há uma hora e não anda: os limites de e-mail acabaram, ou a fila está lenta.",
                "Veja `sender` e `receipts EMPRESA`.",
            ),
        ),
        _kind(
            "token_not_renewed",
            Severity.ERROR,
            (
                "A company's access token is not renewed in time, though nobody refused it.",
                "Look at `audit tokens` and the log. If Conta Azul answers, connect anew: `invite --company COMPANY`.",
            ),
            (
                "O token de uma empresa não foi renovado a tempo, embora ninguém o tenha recusado.",
                "Veja `audit tokens` e o log. Se o Conta Azul responde, `invite --company EMPRESA` conecta de novo.",
            ),
            stops=False,
        ),
        _kind(
            "backup_old",
            Severity.WARNING,
            (
                "A company has no good backup of the last 26 hours.",
                "Run `backup COMPANY`, which says what is in the way; the function `back_up` tries again each hour.",
            ),
            (
                "Uma empresa não tem um bom backup das últimas 26 horas.",
                "Rode `backup EMPRESA`, que diz o que falta; a função `back_up` tenta de novo a cada hora.",
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
            "receipt_unknown",
            Severity.ERROR,
            (
                "The mail server's answer to a mail was lost: nobody knows whether the receipt arrived.",
                "Ask the payer or look in the mail server's log, then `decide COMPANY PAYMENT arrived` or `again`.",
            ),
            (
                "A resposta do servidor de e-mail se perdeu: ninguém sabe se o recibo chegou.",
                "Pergunte ao pagador ou veja o log do servidor e use `decide EMPRESA PAGAMENTO arrived` ou `again`.",
            ),
            stops=False,
        ),
        _kind(
            "receipts_held",
            Severity.WARNING,
            (
                "Receipts of a company wait for a person; the others go on.",
                "Look at `receipts COMPANY`; the reasons and their exits are in the page on mail.",
            ),
            (
                "Recibos de uma empresa esperam por uma pessoa; os outros continuam.",
                "Veja `receipts EMPRESA`; os motivos e as saídas estão na página sobre e-mail.",
            ),
        ),
        _kind(
            "receipt_without_address",
            Severity.WARNING,
            (
                "Receipts of a company have no address for more than an hour; it is looked for each hour.",
                "Type the address into Conta Azul, or take it from a file with `map COMPANY FILE`.",
            ),
            (
                "Recibos de uma empresa estão sem endereço há mais de uma hora; ele é procurado a cada hora.",
                "Digite o endereço no Conta Azul, ou use um arquivo com `map EMPRESA ARQUIVO`.",
            ),
            sighting_ms=2 * 3_600_000,
        ),
        _kind(
            "document_late",
            Severity.WARNING,
            (
                "Receipts wait for Conta Azul's document for more than a day; after three days they are held.",
                "Ask the clinic whether it issues receipts; `probe COMPANY` counts them, `policy` allows our own.",
            ),
            (
                "Recibos esperam o documento do Conta Azul há mais de um dia; após três dias são retidos.",
                "Pergunte à clínica se ela emite recibos; `probe EMPRESA` os conta, `policy` deixa usar o nosso.",
            ),
            sighting_ms=19 * 3_600_000,
        ),
        _kind(
            "sender_stopped",
            Severity.CRITICAL,
            (
                "The mail server refuses this account: nothing is sent for any company. One probe each 15 minutes.",
                "Read the server's words in the detail; correct SMTP_USER, SMTP_PASSWORD or the account's limits.",
            ),
            (
                "O servidor de e-mail recusa esta conta: nada é enviado. Uma tentativa a cada 15 minutos.",
                "Leia a resposta do servidor no detalhe; corrija SMTP_USER, SMTP_PASSWORD ou os limites da conta.",
            ),
        ),
        _kind(
            "send_log_unreachable",
            Severity.CRITICAL,
            (
                "The second storage account does not take the send log: nothing is sent without it.",
                "Check SEND_LOG_CONNECTION and the account. What waits goes on by itself.",
            ),
            (
                "A segunda conta de armazenamento não aceita o registro de envios: sem ele nada é enviado.",
                "Verifique SEND_LOG_CONNECTION e a conta. O que espera continua por si.",
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
