"""Checks of the gate, one per file: some look at a day's rows before training, some at the new version after it."""
