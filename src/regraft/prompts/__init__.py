"""Text only: templates, facts and which history stands before a target; no tokenizer."""
