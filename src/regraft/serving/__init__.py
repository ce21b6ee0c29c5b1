"""Recommendations over HTTP: candidates, facts that grow with every event, hot swap, a spool of all that happened."""
