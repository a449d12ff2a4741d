"""The waiting and hold reasons in Portuguese: the alarm's code, what happened, what to do."""

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
        "O endereço que paga não pode chamar distribute: o guard, ou o operador onde não há guard.",
        "Conceda o papel ao operador; com guard, só ao guard, e lá faça `allow` do operador.",
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
        "Resolva a causa indicada no detalhe e depois tente o pedido de novo (`retry`); ou cancele-o (`cancel`).",
    ),
    "held_no_transfer": (
        "A transação teve sucesso, mas o token não mostra transferência deste valor para esta carteira.",
        (
            "Antes de tudo, veja num explorador os eventos Transfer da transação. Se a carteira não recebeu nada: "
            "corrija AUTHORITY_ADDRESS ou TOKEN_ADDRESS, depois `retry --no-tokens-moved`. Se outra transação o "
            "pagou: `settle`."
        ),
    ),
    "held_simulation": (
        "O contrato recusa este pedido, embora pagasse outros.",
        (
            "Leia o detalhe; a carteira pode ser um contrato que recusa tokens. Se a causa passou, tente de novo "
            "(`retry`). Se não, cancele-o (`cancel`), e a loja o envia com outra carteira e um novo id."
        ),
    ),
    "held_nonce_lost": (
        "O nonce do pedido foi usado por uma transação que este serviço não conhece.",
        (
            "Pause os pagamentos. Descubra quem usou a chave do operador e se aquela transação pagou o pedido. Se "
            "pagou: `settle`. Se não, e quando ninguém mais tiver a chave: `retry`."
        ),
    ),
    "held_nonce_cancelled": (
        "O nonce do pedido foi cancelado por um operador e nada foi pago.",
        "Tente o pedido de novo (`retry`) para pagá-lo, ou cancele-o (`cancel`).",
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
        (
            "Leia o motivo no detalhe; a carteira pode recusar tokens. Se a causa passou, tente de novo (`retry`); se "
            "não, cancele-o (`cancel`)."
        ),
    ),
    "held_reference_used": (
        "A referência deste pedido já foi paga, a outra carteira ou com outro valor.",
        (
            "Leia no detalhe o que foi pago; o pedido nunca pode ser pago com este id. Cancele-o (`cancel`), e a loja "
            "envia o que ainda é devido com um novo id."
        ),
    ),
    "held_needs_approval": (
        "O pedido passa de APPROVAL_TOKENS, sozinho ou com os outros do seu arquivo, e outra pessoa precisa aprová-lo.",
        (
            "Confira quem pediu, a carteira e o valor. Depois uma pessoa que não o pediu o aprova (`approve`). Se não "
            "é para pagar, cancele-o (`cancel`)."
        ),
    ),
    "held_past_unknown": (
        "O livro-razão foi refeito de um passado que não fechava, e este pedido pode ter sido pago na parte que falta.",
        (
            "Veja num explorador se a reserva pagou este valor a esta carteira. Se não, tente de novo (`retry`). Se "
            "sim: `settle`."
        ),
    ),
}

PORTUGUESE: Mapping[str, Text] = {code: Text(summary=said, action=todo) for code, (said, todo) in _SAID.items()}
