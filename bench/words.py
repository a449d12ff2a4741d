"""The sentences of the page, in its two languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """What the page says around its figures."""

    title: str
    other: str
    """The link to the page in the other language."""
    intro: str
    ran_on: str
    target_head: str
    targets: Mapping[str, str]
    met: str
    missed: str
    paid_title: str
    paid_head: str
    requests_title: str
    requests_intro: str
    webhook_title: str
    webhook_head: str
    in_worker: str
    costs: Mapping[str, str]
    gas_title: str
    gas_head: str
    guarded: str
    plain: str
    cold_title: str
    cold: str
    reading_title: str
    reading: str
    up: str
    """From the page to the folder of the pictures."""


EN = Words(
    title="Benchmarks",
    other="[Português](pt-BR/benchmarks.md)",
    intro="""`python3 -m bench` measured all of this in one run and wrote this page from [benchmarks.json](benchmarks.json). Compare figures
of this page with one another, not with those of another machine or day: everything shared two cores, the storage emulator,
the node and the benchmark included. Each order was proved paid exactly once by the token's events before its figures counted.

- **script**: the script anybody would write first ([bench/script.py](../bench/script.py)). It signs, sends, waits for the receipt, and
  keeps nothing: killed between two lines it pays twice or never.
- **single**: this app, one order in each transaction. **batch**: up to 30. Both pay through the guard, and through the whole
  system: signed requests, webhook, queue, ledger, chain, finality.""",
    ran_on="{when}, commit {commit}. {processor}, {cores} cores, {memory}, {system}, Python {python}, anvil {anvil} with a block each 2 s, "
    "Azurite {azurite}. Other programs used {busy:.1f} processors when it began.",
    target_head="| | target | measured | |\n|---|---|---|---|",
    targets={
        "faster": "orders/s to final, largest batch run against the script, times",
        "slots": "transactions in each block while orders wait, single mode",
        "rpc_single": "RPC requests of an order, single mode, 32 waiting",
        "rpc_batch": "RPC requests of an order, largest batch run",
        "storage_batch": "requests to tables and queues of an order, largest batch run",
        "cpu_batch": "processor time of an order, largest batch run against single mode",
        "gas_new": "gas of a payout in a batch of 30 against a guarded single one, new holder",
        "gas_existing": "the same, existing holder",
        "webhook_p95": "webhook p95 at 50/s against a raw insert",
        "webhook_cpu": "processor time of the app for one webhook, ms",
        "memory": "memory of the app, largest batch run against 100 orders",
    },
    met="met",
    missed="missed",
    paid_title="From the request until final",
    paid_head="| run | orders | transactions | orders/s | submitted p50 / p95 / p99, s | final p50 / p95 / p99, s | RPC requests (calls) "
    "an order | tables, queues an order | app, host CPU ms an order | memory MiB | gas an order |\n|---|---|---|---|---|---|---|---|---|---|---|",
    requests_title="What storage is asked, largest batch run",
    requests_intro="Requests of all orders together, the commonest first; a group is named by the rows it writes.",
    webhook_title="The webhook",
    webhook_head="Open loop: each request has its moment, and its time counts from then. Beside it three rows inserted by the storage "
    "library alone.\n\n| requests/s | p50 / p95 / p99, ms | raw insert p50 / p95 / p99, ms | app CPU ms | host CPU ms | table requests each "
    "| failed |\n|---|---|---|---|---|---|---|",
    in_worker="In the worker library alone, with no host and no HTTP before it ({requests} requests): {app:.2f} ms of processor time for one "
    "webhook; three rows that the storage library inserts by itself, in the same process and in turns, take {library:.2f} ms, so a webhook is "
    "{ratio:.2f} of that. Its three largest parts, by profile: {costs}.",
    costs={
        "pipeline": "the storage library's pipeline (signing, resending, connection)",
        "writing": "writing the group of rows",
        "reading": "reading its answer",
        "logging": "its three log lines",
        "signature": "checking the signature",
        "parsing": "reading the order",
        "waking": "the wake-up message",
    },
    gas_title="Gas of one payout",
    gas_head="| | orders in the transaction | new holder | existing holder |\n|---|---|---|---|",
    guarded="guard",
    plain="no guard",
    cold_title="Cold start",
    cold="Import of the app, bytecode there: {importing:.2f} s. First webhook of a new process: {webhook:.2f} s. First payout, from the "
    "request until a node had it: {payout:.2f} s (a queue is looked at every 2 s at most). Memory before the first order: {memory:.0f} MiB.",
    reading_title="How to read it",
    reading="""- **This run had a change that is only partly in this tree.** Orders and day totals that lie together are read in ranges here too; that a
  turn's closings share the totals, and that an idle message takes no lease, is not. Call-backs came later: a row more in a group.
- **The machine was shared.** Other programs used both cores during the run of this page; the line above says how much when it began,
  and the raw insert how slow that made even three rows. Whatever is per second or in milliseconds is far better on a quiet machine.
  Counts (requests, calls, transactions, gas) do not depend on it.
- **What limits batch mode here is the processor, not the chain.** A block has room for sixteen transactions of thirty orders; the orders
  come in more slowly than that, and the webhook takes its share of each.
- **Single mode does not fill the sixteen places of each block.** Each order is bound and closed by a group of its own, one after the other.
- **A look at the chain is paid once a block**, whatever the number of orders: few orders, or a slow machine, mean more RPC requests each.
- **`get ref` is the price of a rule**: what the guard has recorded since the last final payment is looked up in the ledger in each round,
  never remembered, so that a ledger that went back is found out.
- **Most of a webhook was the mail package.** The storage library writes and reads a group of rows with the standard library's `email`
  package. By a profile of 1,000 webhooks in the worker library the three largest costs were writing the group (32 %), reading its answer
  (32 %) and the library's pipeline (8 %), which also asked `.netrc` and the environment's proxies in a thread each at every request. Now the
  service's own format is written and read directly, and signing, identities, resending and connections stay the library's: a few lines
  around each row. In one run, in turns, each with the library's own insert beside it: 1.6 to 1.9 times that insert before, 0.5 to 0.6 after.
- **The figure of the worker library is newer than the rest of this page**, and was measured beside other programs on both cores. Measured
  again with a load of 0.2 when it began, it was no smaller: 12.2 to 12.8 ms before this change, 4.0 to 4.2 ms after. On this machine the bound of 1.7 ms
  is missed; what was halved is the share of the app. The rest of the webhook's table is of before this change.
- **Final is two blocks later on this node.** Polygon's finality is a few seconds as well; the script's figure has the same wait.
- **The script is fast where nothing goes wrong**: one order a block, whatever the machine. It never looks whether it has paid before.
- **The emulator is no Azure.** On a quiet machine it answers in a millisecond, a real table in five to ten.
- **The queues' requests are mostly the host's**: it polls whether or not there is work. They are counted as if they were ours.
- Not measured: 10,000 waiting orders, sweeps over 100,000 finished ones, several operators at once.""",
    up="",
)
PT = Words(
    title="Medições",
    other="[English](../benchmarks.md)",
    intro="""`python3 -m bench` mediu tudo isto numa só execução e escreveu esta página a partir de [benchmarks.json](../benchmarks.json).
Compare os números desta página entre si, não com os de outra máquina ou outro dia: tudo dividiu dois núcleos, inclusive o emulador
de armazenamento, o nó e a própria medição. Os números só valem porque cada pedido foi provado pago exatamente uma vez pelos eventos
do token.

- **script**: o script que qualquer um escreveria primeiro ([bench/script.py](../../bench/script.py)). Assina, envia, espera o recibo e não
  guarda nada: morto entre duas linhas, paga duas vezes ou nunca.
- **single**: este app, um pedido por transação. **batch**: até 30. Os dois pagam pelo guard e passam pelo sistema inteiro: pedido
  assinado, webhook, fila, razão, cadeia, finalidade.""",
    ran_on="{when}, commit {commit}. {processor}, {cores} núcleos, {memory}, {system}, Python {python}, anvil {anvil} com um bloco a cada 2 s, "
    "Azurite {azurite}. Outros programas usavam {busy:.1f} processadores quando começou.",
    target_head="| | meta | medido | |\n|---|---|---|---|",
    targets={
        "faster": "pedidos/s até final, maior execução em lotes contra o script, vezes",
        "slots": "transações por bloco enquanto há pedidos à espera, modo single",
        "rpc_single": "requisições RPC por pedido, modo single, 32 à espera",
        "rpc_batch": "requisições RPC por pedido, maior execução em lotes",
        "storage_batch": "requisições a tabelas e filas por pedido, maior execução em lotes",
        "cpu_batch": "tempo de processador por pedido, maior execução em lotes contra o modo single",
        "gas_new": "gás de um pagamento num lote de 30 contra um só pelo guard, carteira nova",
        "gas_existing": "o mesmo, carteira que já tem tokens",
        "webhook_p95": "webhook p95 a 50/s contra uma inserção pura",
        "webhook_cpu": "tempo de processador do app por webhook, ms",
        "memory": "memória do app, maior execução em lotes contra 100 pedidos",
    },
    met="atingida",
    missed="não atingida",
    paid_title="Do pedido até final",
    paid_head="| execução | pedidos | transações | pedidos/s | enviado p50 / p95 / p99, s | final p50 / p95 / p99, s | requisições RPC (chamadas) "
    "por pedido | tabelas, filas por pedido | CPU app, host, ms por pedido | memória MiB | gás por pedido |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|",
    requests_title="O que se pede ao armazenamento, maior execução em lotes",
    requests_intro="Requisições de todos os pedidos juntos, as mais comuns primeiro; um grupo leva o nome das linhas que escreve.",
    webhook_title="O webhook",
    webhook_head="Ritmo fixo: cada requisição tem o seu instante, e o tempo conta a partir dele. Ao lado, três linhas inseridas só pela "
    "biblioteca de armazenamento.\n\n| requisições/s | p50 / p95 / p99, ms | inserção pura p50 / p95 / p99, ms | CPU do app, ms | CPU do host, ms "
    "| requisições a tabelas, cada | falharam |\n|---|---|---|---|---|---|---|",
    in_worker="Só na biblioteca do worker, sem host nem HTTP na frente ({requests} requisições): {app:.2f} ms de processador por webhook; três "
    "linhas que a biblioteca de armazenamento insere sozinha, no mesmo processo e alternadas, levam {library:.2f} ms, e um webhook é {ratio:.2f} "
    "disso. Suas três maiores partes, pelo perfil: {costs}.",
    costs={
        "pipeline": "o caminho da biblioteca de armazenamento (assinatura, reenvio, conexão)",
        "writing": "escrever o grupo de linhas",
        "reading": "ler a resposta",
        "logging": "as três linhas de log",
        "signature": "conferir a assinatura",
        "parsing": "ler o pedido",
        "waking": "a mensagem que acorda",
    },
    gas_title="Gás de um pagamento",
    gas_head="| | pedidos na transação | carteira nova | carteira que já tem tokens |\n|---|---|---|---|",
    guarded="guard",
    plain="sem guard",
    cold_title="Partida a frio",
    cold="Importar o app, com bytecode: {importing:.2f} s. Primeiro webhook de um processo novo: {webhook:.2f} s. Primeiro pagamento, do "
    "pedido até um nó tê-lo: {payout:.2f} s (a fila é olhada no máximo a cada 2 s). Memória antes do primeiro pedido: {memory:.0f} MiB.",
    reading_title="Como ler",
    reading="""- **Esta execução tinha uma mudança que só em parte está nesta árvore.** Aqui também pedidos e totais do dia vizinhos são lidos em faixas;
  que os fechamentos de uma volta dividam os totais, e que uma mensagem sem trabalho não pegue o lease, não está. Os avisos às lojas
  vieram depois: uma linha a mais em um grupo.
- **A máquina era dividida.** Outros programas usaram os dois núcleos durante a execução desta página; a linha acima diz quanto no começo,
  e a inserção pura, quão lentas ficaram até três linhas. Tudo que é por segundo ou em milissegundos é bem melhor numa máquina livre.
  As contagens (requisições, chamadas, transações, gás) não dependem disso.
- **O que limita os lotes aqui é o processador, não a cadeia.** Num bloco cabem dezesseis transações de trinta pedidos; os pedidos chegam
  mais devagar que isso, e o webhook leva a sua parte de cada um.
- **O modo single não enche os dezesseis lugares de cada bloco.** Cada pedido é vinculado e fechado num grupo próprio, um depois do outro.
- **Um olhar para a cadeia se paga uma vez por bloco**, sejam quantos forem os pedidos: poucos pedidos, ou máquina lenta, dão mais RPC por
  pedido.
- **`get ref` é o preço de uma regra**: o que o guard registrou desde o último pagamento final é procurado no razão a cada rodada, nunca
  lembrado, para que um razão que voltou no tempo seja descoberto.
- **Quase todo o webhook era o pacote de e-mail.** A biblioteca de armazenamento escreve e lê um grupo de linhas com o pacote `email` da
  biblioteca padrão. Num perfil de 1.000 webhooks na biblioteca do worker, os três maiores custos eram escrever o grupo (32 %), ler a
  resposta (32 %) e o caminho da biblioteca (8 %), que ainda consultava o `.netrc` e os proxies do ambiente, cada um numa thread, a cada
  requisição. Agora o formato do serviço é escrito e lido diretamente; assinatura, identidades, reenvio e conexões continuam da biblioteca.
  Numa só execução, alternados, cada um com a inserção da própria biblioteca ao lado: de 1,6 a 1,9 vez essa inserção antes, de 0,5 a 0,6 depois.
- **O número da biblioteca do worker é mais novo que o resto desta página**, e foi medido ao lado de outros programas nos dois núcleos. Medido
  de novo com carga de 0,2 no começo, não foi menor: de 12,2 a 12,8 ms antes desta mudança, de 4,0 a 4,2 ms depois. Nesta máquina o limite de
  1,7 ms não é atingido; o que caiu a menos da metade é a parte do app. O resto da tabela do webhook é de antes.
- **Final vem dois blocos depois neste nó.** Na Polygon também são alguns segundos; o número do script tem a mesma espera.
- **O script é rápido quando nada dá errado**: um pedido por bloco, em qualquer máquina. Nunca olha se já pagou.
- **O emulador não é o Azure.** Numa máquina livre responde em um milissegundo; uma tabela de verdade, em cinco a dez.
- **As requisições às filas são quase todas do host**, que pergunta com ou sem trabalho. Contam aqui como se fossem nossas.
- Não medido: 10.000 pedidos à espera, varreduras sobre 100.000 terminados, vários operadores ao mesmo tempo.""",
    up="../",
)
