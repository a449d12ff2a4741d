"""
A strict stand-in for Conta Azul: its sign-in, its API, its documents.

There is no test tenant to ask (developers.contaazul.com, FAQ), so every test and the local stack talk to this. It
refuses what the real API refuses and ignores what the real API ignores. Each behaviour names where the real one
was seen:

- ``[D]``: the documentation at developers.contaazul.com;
- ``[F]``: measured in production, https://github.com/heitoralthmann/conta-azul-cli and
  https://github.com/andrefsmelo/conta-azul-skill;
- ``[I]``: https://github.com/VictorGHss/Inovare-TI, which does the same job in production;
- ``[P]``: other public code with pasted answers;
- ``[?]``: not known. Where something is not known the stand-in takes the case that is harder for the client.
"""
