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
    finished_title: str
    finished_head: str
    looks: Mapping[str, str]
    """What each look over finished orders is, in the order of the page."""
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
    reading: Mapping[str, str]
    """The points of the reading; which of them are said, the figures decide."""
    up: str
    """From the page to the folder of the pictures."""


EN = Words(
    title="Benchmarks",
    other="[Português](pt-BR/benchmarks.md)",
    intro="""`python3 -m bench` measured all of this in one run and wrote this page from [benchmarks.json](benchmarks.json). Compare figures
of this page with one another, not with those of another machine or day: everything shared the cores of one machine, the
storage emulator, the node and the benchmark included. Each order was proved paid exactly once by the token's events before its figures counted.

- **script**: the script anybody would write first ([bench/script.py](../bench/script.py)). It signs, sends, waits for the receipt, and
  keeps nothing: killed between two lines it pays twice or never.
- **single**: this app, one order in each transaction. **batch**: up to 30. Both pay through the guard, and through the whole
  system: signed requests, webhook, queue, ledger, chain, finality. **lanes**: so many operators pay at once. **batch-1000-of-10000**:
  ten thousand waited before the first was bound; the time counts from then, and until a thousand are final.""",
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
        "memory": "memory of the app, most orders waiting against 100",
        "finished_sweep": "processor time of the sweep, most finished orders against fewest",
        "finished_settlement": "the same, settlement of thirty orders",
    },
    met="met",
    missed="missed",
    paid_title="From the request until final",
    paid_head="| run | orders | transactions | orders/s | submitted p50 / p95 / p99, s | final p50 / p95 / p99, s | RPC requests (calls) "
    "an order | tables, queues an order | app, host CPU ms an order | memory MiB | gas an order |\n|---|---|---|---|---|---|---|---|---|---|---|",
    requests_title="What storage is asked, largest batch run",
    requests_intro="Requests of all orders together, the commonest first; a group is named by the rows it writes.",
    finished_title="Over finished orders",
    finished_head="The app's use cases on a ledger that holds so many finished orders, on a real node. The rows are in memory, where each read, "
    "scan and group is counted, and what keeping them takes is not the app's: the emulator reads its whole table at each request. The list "
    "counts orders up to a thousand.\n\n| | finished orders | requests to the table | rows of its scans | CPU ms |\n|---|---|---|---|---|",
    looks={
        "sweep": "the sweep and its alarms",
        "watch": "the watch of reserve, gas and nodes",
        "settlement": "the settlement of thirty orders, from the block until paid, four turns",
        "home": "the console's first page",
        "orders": "the console's list of orders",
        "charts": "the console's charts",
    },
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
    reading={
        "quiet": "**The machine was quiet** when it began ({busy} processors used by others). Counts (requests, calls, transactions, gas) do not "
        "depend on the machine; whatever is per second or in milliseconds does.",
        "shared": "**The machine was shared.** Other programs used {busy} processors when it began, and the raw insert shows how slow that made "
        "even three rows. Whatever is per second or in milliseconds is far better on a quiet machine. Counts (requests, calls, transactions, "
        "gas) do not depend on it.",
        "batch_full": "**The chain limits batch mode here**: {filled} of the {places} places of each block were filled while orders waited, with "
        "{processors} processors for app and host. More operators are more places.",
        "batch_free": "**Batch mode left places free**: {filled} of the {places} places of each block were filled while orders waited, so the "
        "chain did not limit it. App and host took {processors} processors; emulator, node and benchmark shared the rest.",
        "single_full": "**The pool limits single mode**: {filled} of the {places} places of each block were filled while orders waited.",
        "single_free": "**Single mode filled {filled} of the {places} places of each block**: each order is signed and bound by itself, and app "
        "and host took {processors} processors.",
        "lanes": "**{lanes} operators, {mode} mode, {orders} orders**: {times} times the orders/s of one operator, {filled} of {places} places of "
        "each block. Binding stays one round after the other, so lanes add places, not processors.",
        "waiting": "**{waiting} orders waited together** before the first was bound: then {rate} orders/s to final, and the app had {memory} MiB "
        "at most. A round reads no more of the line than it can bind.",
        "rpc_single": "**Single mode asked the node {requests} times for {orders} orders; the target allows {allowed}.** {rounds} rounds fill the "
        "places, each with three requests (what node and contracts say, the simulation, the submission). Until the last order is final each block "
        "takes one look, and a closing one question more.",
        "cpu_batch": "**An order computes {batch} ms in batch mode, {single} ms in single mode**, app and host. Both begin with the same webhook, so "
        "the one is no eighth of the other. Single mode took {before} ms when the bound was set; of that a batch order takes {share}.",
        "memory": "**A full round holds {held} orders at once**, with their rows and signed bytes; 100 orders do not fill one. With {waiting} "
        "waiting the app had {times} times the memory of the run of {orders} orders.",
        "look": "**A look at the chain is paid once a block**, whatever the number of orders: few orders, or a slow machine, mean more RPC "
        "requests each.",
        "refs": "**`get ref` is the price of a rule**: what the guard has recorded since the last final payment is looked up in the ledger in "
        "each round, never remembered, so that a ledger that went back is found out.",
        "mail": "**The storage library writes and reads a group of rows with the standard library's `email` package**, which was most of a "
        "webhook. The service writes and reads that format directly; signing, identities, resending and connections stay the library's. So a "
        "whole webhook computes {ratio} of what the library alone takes for three rows.",
        "kept_up": "**The webhook kept up with {rate} requests/s**: none failed, and the last was answered within a second of its moment.",
        "overrun": "**At {rate} requests/s this machine was overrun**: the queue grows, and the latencies say how long the run was, not how fast "
        "the app is. One process serves all requests here; in Azure more requests are more instances.",
        "final": "**Final is two blocks later on this node.** Polygon's finality is a few seconds as well; the script's figure has the same wait.",
        "script": "**The script is fast where nothing goes wrong**: one order a block, whatever the machine. It never looks whether it has paid "
        "before.",
        "emulator": "**The emulator is no Azure.** On a quiet machine it answers in a millisecond, a real table in five to ten.",
        "queues": "**The queues' requests are mostly the host's**: it polls whether or not there is work. They are counted as if they were ours.",
        "missing": "Not measured in this run:",
        "missing_waiting": "10,000 waiting orders",
        "missing_finished": "sweeps over 100,000 finished ones",
        "missing_lanes": "several operators at once",
    },
    up="",
)
PT = Words(
    title="Medições",
    other="[English](../benchmarks.md)",
    intro="""`python3 -m bench` mediu tudo isto numa só execução e escreveu esta página a partir de [benchmarks.json](../benchmarks.json).
Compare os números desta página entre si, não com os de outra máquina ou outro dia: tudo dividiu os núcleos de uma máquina, inclusive o emulador
de armazenamento, o nó e a própria medição. Os números só valem porque cada pedido foi provado pago exatamente uma vez pelos eventos
do token.

- **script**: o script que qualquer um escreveria primeiro ([bench/script.py](../../bench/script.py)). Assina, envia, espera o recibo e não
  guarda nada: morto entre duas linhas, paga duas vezes ou nunca.
- **single**: este app, um pedido por transação. **batch**: até 30. Os dois pagam pelo guard e passam pelo sistema inteiro: pedido
  assinado, webhook, fila, razão, cadeia, finalidade. **lanes**: tantos operadores pagam ao mesmo tempo. **batch-1000-of-10000**:
  dez mil esperavam antes que o primeiro fosse vinculado; o tempo conta daí, até que mil sejam finais.""",
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
        "memory": "memória do app, mais pedidos à espera contra 100",
        "finished_sweep": "tempo de processador da varredura, mais pedidos terminados contra menos",
        "finished_settlement": "o mesmo, acompanhamento de trinta pedidos",
    },
    met="atingida",
    missed="não atingida",
    paid_title="Do pedido até final",
    paid_head="| execução | pedidos | transações | pedidos/s | enviado p50 / p95 / p99, s | final p50 / p95 / p99, s | requisições RPC (chamadas) "
    "por pedido | tabelas, filas por pedido | CPU app, host, ms por pedido | memória MiB | gás por pedido |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|",
    requests_title="O que se pede ao armazenamento, maior execução em lotes",
    requests_intro="Requisições de todos os pedidos juntos, as mais comuns primeiro; um grupo leva o nome das linhas que escreve.",
    finished_title="Sobre pedidos terminados",
    finished_head="Os casos de uso do app sobre um razão com tantos pedidos terminados, num nó de verdade. As linhas ficam na memória, onde cada "
    "leitura, varredura e grupo é contado, e o que custa guardá-las não é do app: o emulador lê a tabela inteira a cada requisição. A lista "
    "conta pedidos até mil.\n\n| | pedidos terminados | requisições à tabela | linhas das varreduras | CPU ms |\n|---|---|---|---|---|",
    looks={
        "sweep": "a varredura e seus alarmes",
        "watch": "a vigia da reserva, do gás e dos nós",
        "settlement": "o acompanhamento de trinta pedidos, do bloco até pagos, quatro voltas",
        "home": "a primeira página do console",
        "orders": "a lista de pedidos do console",
        "charts": "os gráficos do console",
    },
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
    reading={
        "quiet": "**A máquina estava livre** no começo (outros usavam {busy} processadores). As contagens (requisições, chamadas, transações, gás) "
        "não dependem da máquina; tudo que é por segundo ou em milissegundos depende.",
        "shared": "**A máquina era dividida.** Outros programas usavam {busy} processadores no começo, e a inserção pura mostra quão lentas ficaram "
        "até três linhas. Tudo que é por segundo ou em milissegundos é bem melhor numa máquina livre. As contagens (requisições, chamadas, "
        "transações, gás) não dependem disso.",
        "batch_full": "**Aqui é a cadeia que limita os lotes**: {filled} dos {places} lugares de cada bloco foram ocupados enquanto havia pedidos "
        "à espera, com {processors} processadores para app e host. Mais operadores são mais lugares.",
        "batch_free": "**O modo batch deixou lugares livres**: {filled} dos {places} lugares de cada bloco foram ocupados enquanto havia pedidos "
        "à espera, portanto a cadeia não o limitou. App e host usaram {processors} processadores; emulador, nó e medição dividiram o resto.",
        "single_full": "**O pool limita o modo single**: {filled} dos {places} lugares de cada bloco foram ocupados enquanto havia pedidos à espera.",
        "single_free": "**O modo single ocupou {filled} dos {places} lugares de cada bloco**: cada pedido é assinado e vinculado sozinho, e app e "
        "host usaram {processors} processadores.",
        "lanes": "**{lanes} operadores, modo {mode}, {orders} pedidos**: {times} vezes os pedidos/s de um operador, {filled} de {places} lugares de "
        "cada bloco. A vinculação continua uma rodada depois da outra: faixas acrescentam lugares, não processadores.",
        "waiting": "**{waiting} pedidos esperaram juntos** antes que o primeiro fosse vinculado: depois, {rate} pedidos/s até final, e o app teve no "
        "máximo {memory} MiB. Uma rodada não lê da fila mais do que pode vincular.",
        "rpc_single": "**O modo single consultou o nó {requests} vezes para {orders} pedidos; a meta permite {allowed}.** {rounds} rodadas ocupam "
        "os lugares, cada uma com três requisições (o que dizem nó e contratos, a simulação, o envio). Até o último pedido ser final, cada bloco "
        "custa um olhar, e um fechamento, uma pergunta a mais.",
        "cpu_batch": "**Um pedido calcula {batch} ms no modo batch e {single} ms no modo single**, app e host. Os dois começam com o mesmo webhook, "
        "por isso um não é um oitavo do outro. O modo single levava {before} ms quando o limite foi definido; disso um pedido em lote leva {share}.",
        "memory": "**Uma rodada cheia segura {held} pedidos de uma vez**, com suas linhas e os bytes assinados; 100 pedidos não enchem uma. Com "
        "{waiting} à espera, o app teve {times} vezes a memória da execução de {orders} pedidos.",
        "look": "**Um olhar para a cadeia se paga uma vez por bloco**, sejam quantos forem os pedidos: poucos pedidos, ou máquina lenta, dão mais "
        "RPC por pedido.",
        "refs": "**`get ref` é o preço de uma regra**: o que o guard registrou desde o último pagamento final é procurado no razão a cada rodada, "
        "nunca lembrado, para que um razão que voltou no tempo seja descoberto.",
        "mail": "**A biblioteca de armazenamento escreve e lê um grupo de linhas com o pacote `email` da biblioteca padrão**, que era quase todo o "
        "webhook. O serviço escreve e lê esse formato diretamente; assinatura, identidades, reenvio e conexões continuam da biblioteca. Assim um "
        "webhook inteiro calcula {ratio} do que a biblioteca sozinha leva para três linhas.",
        "kept_up": "**O webhook acompanhou {rate} requisições/s**: nenhuma falhou, e a última teve resposta a menos de um segundo do seu instante.",
        "overrun": "**A {rate} requisições/s esta máquina não deu conta**: a fila cresce, e as latências dizem quanto durou a execução, não quão "
        "rápido é o app. Aqui um só processo atende tudo; no Azure, mais requisições são mais instâncias.",
        "final": "**Final vem dois blocos depois neste nó.** Na Polygon também são alguns segundos; o número do script tem a mesma espera.",
        "script": "**O script é rápido quando nada dá errado**: um pedido por bloco, em qualquer máquina. Nunca olha se já pagou.",
        "emulator": "**O emulador não é o Azure.** Numa máquina livre responde em um milissegundo; uma tabela de verdade, em cinco a dez.",
        "queues": "**As requisições às filas são quase todas do host**, que pergunta com ou sem trabalho. Contam aqui como se fossem nossas.",
        "missing": "Não medido nesta execução:",
        "missing_waiting": "10.000 pedidos à espera",
        "missing_finished": "varreduras sobre 100.000 terminados",
        "missing_lanes": "vários operadores ao mesmo tempo",
    },
    up="../",
)
