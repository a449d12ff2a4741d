"""Connecting a company: invitation, sign-in at Conta Azul, and the token that must never be lost."""
