"""How passes through the model are made fast on this machine; the numbers stay the same."""
