"""regraft: keep LLM recommenders fresh with small LoRA adapters, renewed period after period."""

__version__ = "0.1.0"
