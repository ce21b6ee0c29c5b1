"""The frozen base model and its adapters: tokens, fits, scores, merges."""
