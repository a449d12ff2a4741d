"""What a person must know: facts that stand are told until they end."""
