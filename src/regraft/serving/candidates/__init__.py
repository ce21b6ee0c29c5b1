"""Where candidates come from, one source per file; the champion then scores all that were found."""
