"""The catalogue of alarms in Portuguese: code, what happened, what to do."""

from __future__ import annotations

from collections.abc import Mapping

from foundation.alarms.catalogue import Text

_SAID: Mapping[str, tuple[str, str]] = {
    "shop_order_differs": (
        "Uma loja enviou o mesmo id de pedido sob dois nomes, com conteúdo diferente. Vale o primeiro conteúdo.",
        "Compare os dois pedidos. Se falta pagar algo, a loja o envia com um novo id.",
    ),
    "nonce_lost": (
        "Um nonce foi usado na rede e nenhuma de nossas tentativas tem recibo. Seus pedidos continuam vinculados.",
        "Encontre num explorador a transação que usou o nonce. Não pague nada à mão antes disso.",
    ),
    "payment_path_broken": (
        "Um pagamento teve sucesso na rede e não moveu tokens. Os pagamentos estão pausados.",
        "Confira AUTHORITY_ADDRESS e TOKEN_ADDRESS e consulte a transação antes de retomar.",
    ),
    "ledger_behind": (
        "A rede está à frente do livro. Os pagamentos estão pausados.",
        "Descubra se o livro foi restaurado ou a chave usada em outro lugar: `resolve`, `cancel-nonce` ou `rebuild`.",
    ),
    "finality_violated": (
        "Um bloco que era final não está mais na rede. Os pagamentos estão pausados.",
        "Compare o livro com a rede em dois nós antes de retomar.",
    ),
    "paid_contradicted": (
        "Um pagamento encerrado com a palavra de um só nó não é o que os nós mostram agora. Tudo foi pausado.",
        "Procure a transação num explorador. Se ela não pagou, reabra os pedidos antes de retomar os pagamentos.",
    ),
    "nodes_disagree": (
        "Dois nós dizem de uma transação ou de um bloco o que não pode ser verdade. Ela continua aberta.",
        "Procure-a num explorador e tire de RPC_URL o nó que está errado.",
    ),
    "witness_missing": (
        "Há dez minutos nenhum segundo nó confirma o que o primeiro mostra como final.",
        "Conserte o nó que não responde ou está atrasado, ou tire-o de RPC_URL.",
    ),
    "receipt_unreadable": (
        "Um nó responde com um recibo que não se pode ler; os pedidos daquele nonce continuam vinculados.",
        "Acrescente o nó de outro provedor a RPC_URL, ou tire este de lá.",
    ),
    "paid_elsewhere": (
        "Um pedido foi pago por uma transação que não é deste livro.",
        "Descubra o que mais paga por este guard: um segundo livro, ou este mesmo antes de uma restauração.",
    ),
    "payouts_paused": (
        "Os pagamentos foram pausados pelo próprio serviço.",
        "Encontre a causa antes de retomar: o guard, a Authority ou os endereços das configurações.",
    ),
    "batch_reverted": (
        "O guard recusou uma transação inteira; seus pedidos esperam de novo.",
        "Verifique se o guard foi pausado ou a chave removida. Uma segunda recusa seguida pausa os pagamentos.",
    ),
    "invariant_broken": (
        "Uma regra que não pode ser quebrada foi quebrada. Os pagamentos estão pausados.",
        "Encontre a causa, um erro ou uma chave usada por outra pessoa; depois retome.",
    ),
    "row_unreadable": (
        "Uma linha do livro não pode ser lida; todo o resto continua.",
        "Traga de volta a versão mais nova do serviço, se foi ela que escreveu a linha; senão examine a própria linha.",
    ),
    "order_passed_over": (
        "Um pedido é pulado em cada rodada enquanto outros são pagos.",
        "Acrescente outro nó a RPC_URL, ou retire a regra que recusa esta carteira; ou cancele o pedido.",
    ),
    "replacement_ceiling": (
        "Uma transação está parada e nenhuma substituição cabe nos tetos de taxa ou no número de tentativas.",
        "Espere o preço cair ou aumente MAX_FEE_GWEI e MAX_PRIORITY_FEE_GWEI.",
    ),
    "submission_refused": (
        "Nenhum nó aceita uma transação, e nada nela pode ser corrigido com os limites de hoje.",
        "Leia as palavras do nó no log (attempt_submitted); confira GAS_LIMIT, MAX_FEE_GWEI, CHAIN_ID, MAX_ATTEMPTS.",
    ),
    "operator_key_missing": (
        "Uma transação precisa de substituição, e a chave de seu operador não está configurada.",
        "Defina OPERATOR_PK_RETIRING, ou OPERATOR_KEY_ID_RETIRING, até que nada desse operador esteja aberto.",
    ),
    "signer_unavailable": (
        "Uma transação precisa de substituição, e o cofre não a assina.",
        "Faça o que diz o detalhe: a chave, suas permissões ou o cofre. Os primeiros bytes continuam no pool.",
    ),
    "finality_stalled": (
        "O bloco finalizado da rede não avança; nenhum pedido é dado como pago até que avance.",
        "Verifique o status da rede.",
    ),
    "not_configured": (
        "Falta uma configuração, ou ela está errada.",
        "Corrija a configuração; /ready diz qual é. Os pedidos esperam e nada se perde.",
    ),
    "poison_message": (
        "Uma função falhou cinco vezes seguidas num mesmo aviso; nenhum pedido foi afetado.",
        "Procure as exceções dessa função nos logs: é um erro. A varredura continua a acordá-la.",
    ),
    "work_not_running": (
        "Ninguém lê os avisos de uma fila: a função dela não está em execução.",
        "O log do host diz qual função está com erro; corrija e reinicie o aplicativo.",
    ),
    "poison_waiting": (
        "Há mensagens numa fila poison; nenhum pedido foi afetado.",
        "Veja-as (`az storage message peek`): o aplicativo só escreve `wake`. Depois esvazie essa fila.",
    ),
    "queues_unavailable": (
        "As filas não respondem.",
        "Veja a conta de armazenamento: falha, firewall, papel do aplicativo. Os pedidos são aceitos e esperam.",
    ),
    "order_waiting_long": (
        "O pedido mais antigo espera há mais tempo que ALARM_WAITING_S.",
        "Veja o motivo (`show`, ou GET /orders/{order_id}) e corrija a causa; ele é então pago sozinho.",
    ),
    "transaction_open_long": (
        "Uma transação está aberta há mais tempo que ALARM_OPEN_S.",
        "Consulte o hash num explorador e compare suas taxas com o mercado; `show` lista o que está aberto.",
    ),
    "slots_stuck": (
        "Todas as vagas de transação estão ocupadas, nenhum nonce avança, e há pedidos esperando.",
        "Veja o nonce mais baixo: o hash num explorador e as taxas ao lado do mercado; os outros esperam por ele.",
    ),
    "settlement_silent": (
        "Há minutos ninguém olha todas as transações abertas.",
        "Procure erros de settlement no log, e se a função roda. Nada é pago duas vezes enquanto isso.",
    ),
    "sweep_missing": (
        "A varredura não roda há minutos.",
        "Veja se a função de tempo `sweep` está desativada ou falha. Outra função enviou este alarme por ela.",
    ),
    "watch_missing": (
        "Ninguém olha a reserva, a permissão, o gás e os nós: a vigia não termina há 15 minutos.",
        "Leia o log de `sweep` (`deferred`, `watch_failed`). O que ela achara sai como encerrado; pode continuar.",
    ),
    "backup_old": (
        "O livro não tem um bom backup das últimas 26 horas.",
        "Rode `backup`, que diz o que falta: a conta de BACKUP_CONNECTION, o papel dela, ou o tempo que leva.",
    ),
    "clock_wrong": (
        "O relógio de uma máquina que roda o serviço está a minutos do relógio do armazenamento.",
        "Acerte esse relógio. Nada é pago duas vezes, mas pedidos assinados são recusados e os dias contam errado.",
    ),
    "node_silent": (
        "Um nó de RPC_URL não responde; os pagamentos continuam pelos outros.",
        "Conserte esse nó, ou tire-o de RPC_URL.",
    ),
    "retiring_gas_short": (
        "A moeda do operador que sai não cobre as transações abertas dele.",
        "Envie POL ao endereço do operador que sai; `show` lista o que está aberto.",
    ),
    "lane_stopped": (
        "Uma faixa não aceita pedidos; as outras continuam.",
        "Envie POL ao operador dela, devolva-lhe o papel, ou execute `add-operator`, como diz o detalhe.",
    ),
    "low_reserve": ("A reserva está baixa.", "Mova tokens para a reserva."),
    "low_allowance": ("A permissão da reserva está baixa.", "Aprove mais a partir da reserva."),
    "low_gas": ("O gás do operador está baixo.", "Envie POL ao endereço do operador."),
    "woocommerce_unpayable": (
        "Um pedido pago do WooCommerce não pode ser pago em tokens.",
        "Corrija o pedido na loja, como diz o detalhe, e salve-o de novo.",
    ),
    "woocommerce_conflict": (
        "Um pedido do WooCommerce mudou depois de aceito.",
        "Compare o pedido na loja com o livro; vale o que foi aceito primeiro.",
    ),
}

PORTUGUESE: Mapping[str, Text] = {code: Text(summary=said, action=todo) for code, (said, todo) in _SAID.items()}
