#!/bin/sh
# Pay one order with curl and openssl: pay.sh ORDER_ID WALLET AMOUNT. Exit code 1: refused; 75: no answer, send the same
# order again later: it is paid once. WEBHOOK_SECRET is seen by other users of this machine while openssl runs.
set -eu
if [ $# -ne 3 ] || [ -z "${WEBHOOK_URL:-}" ] || [ -z "${WEBHOOK_SECRET:-}" ]; then
    echo "Set WEBHOOK_URL and WEBHOOK_SECRET, and say ORDER_ID WALLET AMOUNT." >&2
    exit 2
fi
body=$(printf '{"order_id":"%s","wallet":"%s","amount":"%s"}' "$1" "$2" "$3")
answer=$(mktemp) && headers=$(mktemp)
trap 'rm -f "$answer" "$headers"' EXIT
least=0
for wait in ${WAITS:-0 10 60 300}; do
    [ "$wait" -ge "$least" ] || wait=$least
    sleep "$wait"
    t=$(date +%s)
    v1=$(printf '%s.%s' "$t" "$body" | openssl dgst -sha256 -hmac "$WEBHOOK_SECRET" | sed 's/^.* //')
    status=$(curl --silent --max-time 15 --output "$answer" --dump-header "$headers" --write-out '%{http_code}' \
        --header 'Content-Type: application/json' --header "X-WP-Signature: t=$t,v1=$v1" \
        --data-binary "$body" "$WEBHOOK_URL") || status=000
    # Only the service's own answer decides: a proxy's page, or a stopped app's, says nothing about an order.
    case $status in
        200 | 202) if tr -d ' ' < "$answer" | grep -qF "\"order_id\":\"$1\""; then cat "$answer"; exit 0; fi ;;
        408 | 429) ;;
        4??) if tr -d ' ' < "$answer" | grep -qF '"code":"'; then cat "$answer" >&2; exit 1; fi ;;
    esac
    least=$(tr -d '\r' < "$headers" | sed -n 's/^[Rr]etry-[Aa]fter: *\([0-9]\{1,3\}\)$/\1/p' | tail -n 1)
    least=${least:-0}
done
echo "no answer that says whether it is stored (last: $status)" >&2
cat "$answer" >&2
exit 75
