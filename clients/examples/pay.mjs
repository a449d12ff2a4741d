// @ts-check
// Pay one order from Node 18 or later, without a library: pay.mjs ORDER_ID WALLET AMOUNT.
// TypeScript reads it as it is. Exit code 1: refused; 75: no answer, send the same order again later: it is paid once.
import { createHmac } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const RETRY_AFTER_S_MAX = 600;

/**
 * Send an order until it is stored; return the service's answer. A proxy's page, or a stopped app's, decides nothing.
 * @param {string} url @param {string} secret @param {{order_id: string}} order @param {number[]} waitsS
 * @returns {Promise<{status: number, document: any}>} status 0: nobody knows whether it is stored
 */
async function pay(url, secret, order, waitsS) {
  const body = JSON.stringify(order); // once: these bytes are signed and sent, at each try
  let leastS = 0;
  /** @type {{status: number, document: any}} */
  let last = { status: 0, document: "never tried" };
  for (const waitS of waitsS) {
    await sleep(1000 * Math.max(waitS, leastS));
    leastS = 0;
    try {
      const t = Math.floor(Date.now() / 1000);
      const v1 = createHmac("sha256", secret).update(`${t}.${body}`).digest("hex");
      const answer = await fetch(url, {
        method: "POST",
        body,
        headers: { "Content-Type": "application/json", "X-WP-Signature": `t=${t},v1=${v1}` },
        redirect: "manual", // a signed order goes to the configured address, and nowhere else
        signal: AbortSignal.timeout(15_000),
      });
      const text = await answer.text();
      const document = text.startsWith("{") ? JSON.parse(text) : { detail: text.slice(0, 500) };
      const isStored = [200, 202].includes(answer.status) && document.order_id === order.order_id;
      const isRefusal = answer.status >= 400 && answer.status < 500 && ![408, 429].includes(answer.status);
      if (isStored || (isRefusal && document.code)) return { status: answer.status, document };
      leastS = Math.min(Number(answer.headers.get("Retry-After")) || 0, RETRY_AFTER_S_MAX);
      last = { status: 0, document };
    } catch (error) {
      last = { status: 0, document: String(error) };
    }
  }
  return last;
}

const [orderId, wallet, amount] = process.argv.slice(2);
const { WEBHOOK_URL, WEBHOOK_SECRET, WAITS = "0 10 60 300" } = process.env;
if (!WEBHOOK_URL || !WEBHOOK_SECRET || !orderId || !wallet || !amount) {
  console.error("Set WEBHOOK_URL and WEBHOOK_SECRET, and say ORDER_ID WALLET AMOUNT.");
  process.exit(2);
}
const order = { order_id: orderId, wallet, amount };
const { status, document } = await pay(WEBHOOK_URL, WEBHOOK_SECRET, order, WAITS.split(" ").map(Number));
if (status === 200 || status === 202) {
  console.log(JSON.stringify(document));
} else {
  console.error(JSON.stringify(document, null, 2));
  process.exitCode = status === 0 ? 75 : 1;
}
