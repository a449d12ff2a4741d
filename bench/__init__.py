"""What the distributor costs in time, requests and gas, beside the script that anybody would write first."""
