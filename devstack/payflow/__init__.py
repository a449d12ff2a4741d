"""PayFlow on one machine: a stand-in for Conta Azul, storage, the app in its host, a mail server with an inbox."""
