"""Pay one order, with the client beside: ``pay.py ORDER_ID WALLET AMOUNT``. Exit code 1: refused; 75: send it later."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from ballx_client import BallxClient, NoAnswer, Refused

if len(sys.argv) != 1 + 3 or not {"WEBHOOK_URL", "WEBHOOK_SECRET"} <= os.environ.keys():
    print("Set WEBHOOK_URL and WEBHOOK_SECRET, and say ORDER_ID WALLET AMOUNT.", file=sys.stderr)
    sys.exit(2)
order_id, wallet, amount = sys.argv[1:]
waits_s = [int(each) for each in os.environ.get("WAITS", "0 10 60 300").split()]
client = BallxClient(os.environ["WEBHOOK_URL"], os.environ["WEBHOOK_SECRET"], waits_s=waits_s)
try:
    stored = client.pay({"order_id": order_id, "wallet": wallet, "amount": amount})
except Refused as refused:
    print(json.dumps(refused.problem, indent=2), file=sys.stderr)
    sys.exit(1)
except NoAnswer as unknown:
    print(unknown, file=sys.stderr)
    sys.exit(75)
print(json.dumps(stored))
