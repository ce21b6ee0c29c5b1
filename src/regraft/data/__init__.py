"""Rows, time, labels and periods: from a log to a stream that cannot show the future."""
