"""Keeping no more than may be kept: erasure of a person with proof, retention, and what is held on somebody."""
