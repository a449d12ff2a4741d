"""The catalogue of alarms in Portuguese: code, what happened, what to do."""

from __future__ import annotations

from collections.abc import Mapping

from foundation.alarms.catalogue import Text

_SAID: Mapping[str, tuple[str, str]] = {
    "waiting_node_down": (
        "Nenhum nó de RPC_URL responde; os pedidos esperam e nada se perde.",
        "Verifique as páginas de status dos nós e RPC_URL; acrescente um segundo provedor, separado por vírgula.",
    ),
    "waiting_wrong_chain": (
        "Todos os nós de RPC_URL servem outra rede que não CHAIN_ID.",
        "Corrija RPC_URL ou CHAIN_ID; nada foi assinado para a rede errada.",
    ),
    "waiting_ledger_foreign": (
        "O livro não tem a linha de identidade, ou ela difere das configurações; nada é pago a partir dele.",
        (
            "Confira LEDGER_CONNECTION, LEDGER_TABLE, CHAIN_ID e os endereços. Livro perdido: `rebuild`. Só um sistema "
            "que nunca pagou nada: `init`."
        ),
    ),
    "waiting_not_configured": (
        "Falta uma configuração de que os pagamentos precisam, ou ela está errada.",
        "Abra /ready: ele diz qual é.",
    ),
    "waiting_paused": (
        "Os pagamentos foram pausados por um operador.",
        "Retome quando a causa estiver resolvida; os pedidos seguem sozinhos.",
    ),
    "waiting_halted": (
        "Os pagamentos foram parados por um operador: nada é vinculado e nada assinado é enviado a um nó.",
        "Retome quando a causa estiver resolvida; pedidos e transações assinadas seguem sozinhos.",
    ),
    "waiting_daily_cap": (
        "O limite do dia foi atingido, no total ou para uma carteira; o excedente espera o próximo dia UTC.",
        (
            "Nada, se o dia for plausível; senão pause e verifique. Para pagar mais hoje, aumente MAX_DAILY_TOKENS ou "
            "MAX_DAILY_WALLET_TOKENS."
        ),
    ),
    "waiting_over_cap": (
        "Um pedido à espera excede sozinho um limite: foi aceito antes de o limite ser reduzido.",
        "Cancele o pedido ou aumente o limite indicado no detalhe; os outros são pagos enquanto isso.",
    ),
    "waiting_shop_unknown": (
        "Pedidos foram assinados com um segredo que o livro não conhece; eles esperam, e os outros são pagos.",
        "Rode `shops list`. Se uma loja conhecida assina assim agora: `shops same-as`. Outra loja: `shops accept`.",
    ),
    "shop_order_differs": (
        "Uma loja enviou o mesmo id de pedido sob dois nomes, com conteúdo diferente. Vale o primeiro conteúdo.",
        "Compare os dois pedidos. Se falta pagar algo, a loja o envia com um novo id.",
    ),
    "waiting_fee_ceiling": (
        "A rede pede mais por gás do que MAX_FEE_GWEI permite.",
        "Espere o preço cair ou aumente MAX_FEE_GWEI.",
    ),
    "waiting_slots_full": (
        "Há tantas transações em andamento quantas o nó aceita de um operador.",
        "Nada: os pedidos seguem à medida que as transações são mineradas.",
    ),
    "waiting_gas_short": (
        "A moeda nativa do operador não cobre mais uma transação.",
        "Envie POL ao endereço do operador.",
    ),
    "waiting_reserve_short": (
        "A reserva não tem tokens suficientes para os pedidos à espera, além do que já está comprometido.",
        "Mova tokens para a reserva; pedidos menores são pagos enquanto isso.",
    ),
    "waiting_allowance_short": (
        "A permissão da reserva para a Authority não cobre os pedidos à espera.",
        "Aprove uma permissão maior a partir da reserva; pedidos menores são pagos enquanto isso.",
    ),
    "waiting_token_missing": (
        "Não há contrato em TOKEN_ADDRESS.",
        "Corrija TOKEN_ADDRESS ou CHAIN_ID.",
    ),
    "waiting_authority_missing": (
        "Não há contrato em AUTHORITY_ADDRESS.",
        "Corrija AUTHORITY_ADDRESS ou CHAIN_ID.",
    ),
    "waiting_role_missing": (
        "O operador não pode chamar distribute na Authority.",
        "Conceda o papel de operador ao endereço do operador, ou corrija OPERATOR_PK.",
    ),
    "waiting_authority_paused": (
        "O contrato Authority está pausado.",
        "Despause-o quando seus administradores concordarem.",
    ),
    "waiting_authority_refuses": (
        "A Authority recusa até o pagamento de uma unidade ao operador; nenhum pedido é culpado.",
        "Procure o motivo no detalhe; pergunte aos administradores da Authority.",
    ),
    "waiting_nonce_ahead": (
        "A rede usou mais nonces do operador do que o livro vinculou: a chave é usada em outro lugar.",
        "Pare o outro uso da chave. Se ninguém o conhece, trate a chave como roubada e troque-a.",
    ),
    "waiting_pool_ahead": (
        (
            "O pool de um nó tem uma transação de um operador que o livro nunca vinculou: o livro é mais antigo que a "
            "rede, ou a chave é usada em outro lugar."
        ),
        "Nada é vinculado até alguém verificar: `resolve` ou `cancel-nonce` o que ocupa o nonce, ou `rebuild`.",
    ),
    "waiting_node_behind": (
        "O nonce do nó está atrás do que já era final: o nó está atrasado ou perdeu o estado.",
        "Espere o nó, ou coloque outro em primeiro lugar em RPC_URL.",
    ),
    "waiting_finality_behind": (
        "Há mais transações mineradas e não finais do que podem voltar de uma vez ao pool; nada mais é vinculado.",
        "Nada, se a finalidade voltar a avançar: verifique o status da rede e FINALITY.",
    ),
    "waiting_newer_rows": (
        "Uma transação aberta não pode ser lida ou tem uma palavra de versão mais nova; seu operador nada vincula.",
        "Traga de volta a versão mais nova do serviço; o alarme row_unreadable diz qual é a linha.",
    ),
    "waiting_decimals_wrong": (
        "TOKEN_DECIMALS não é o que o token diz; todo valor sairia errado por potências de dez.",
        "Corrija TOKEN_DECIMALS e confira cada pedido aceito nesse meio-tempo antes que algo seja pago.",
    ),
    "waiting_signer_down": (
        "O cofre que guarda a chave do operador não assina; os pedidos esperam e nada se perde.",
        "Faça o que diz o detalhe: a chave, suas permissões ou o cofre. Nunca ponha a chave em outro lugar às pressas.",
    ),
    "held_reverted": (
        "A transação foi minerada e recusada pelo contrato; nenhum token foi movido.",
        "Resolva a causa indicada no detalhe e depois tente o pedido de novo (`retry`).",
    ),
    "held_no_transfer": (
        "A transação teve sucesso, mas o token não mostra transferência deste valor para esta carteira.",
        "Confira AUTHORITY_ADDRESS e TOKEN_ADDRESS; consulte a transação antes de pagar qualquer coisa à mão.",
    ),
    "held_simulation": (
        "O contrato recusa este pedido, embora pagasse outros.",
        "Leia o detalhe; a carteira pode ser um contrato que recusa tokens.",
    ),
    "held_nonce_lost": (
        "O nonce do pedido foi usado por uma transação que este serviço não conhece.",
        "Descubra quem usou a chave do operador e se aquela transação pagou o pedido.",
    ),
    "held_nonce_cancelled": (
        "O nonce do pedido foi cancelado por um operador e nada foi pago.",
        "Tente o pedido de novo (`retry`) ou cancele-o.",
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
    "waiting_guard_changed": (
        "GUARD_ADDRESS não é o guard pelo qual este livro paga; nada é vinculado, e o que está aberto é liquidado.",
        "Devolva o GUARD_ADDRESS antigo. Para definir, trocar ou encerrar um guard, siga o runbook e `guard adopt`.",
    ),
    "waiting_guard_bypassed": (
        "Uma chave nossa pode chamar distribute na Authority sem o guard; nada recusa um segundo pagamento.",
        "Revogue o papel dessa chave na Authority; só o guard pode tê-lo. Os pedidos seguem sozinhos.",
    ),
    "waiting_guard_paused": (
        "O contrato guard foi pausado por seu dono.",
        "Despause-o quando o dono concordar; os pedidos seguem sozinhos.",
    ),
    "held_item_failed": (
        "O guard relatou este pedido como falho duas vezes; nada foi movido.",
        "Leia o motivo no detalhe; a carteira pode recusar tokens. Depois tente de novo (`retry`) ou cancele.",
    ),
    "held_reference_used": (
        "O guard já pagou a referência deste pedido, a outra carteira ou com outro valor.",
        (
            "Leia no detalhe o que foi pago; o pedido nunca pode ser pago com este id. Cancele-o, e a loja envia o que "
            "ainda é devido com um novo id."
        ),
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
    "node_silent": (
        "Um nó de RPC_URL não responde; os pagamentos continuam pelos outros.",
        "Conserte esse nó, ou tire-o de RPC_URL.",
    ),
    "retiring_gas_short": (
        "A moeda do operador que sai não cobre as transações abertas dele.",
        "Envie POL ao endereço do operador que sai; `show` lista o que está aberto.",
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
