"""How alike two items are by their texts: one plug-in per kind of vector."""
