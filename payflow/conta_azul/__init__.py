"""What Conta Azul's API says and how it wants to be asked. Pure: the requests themselves are in ``adapters``."""
