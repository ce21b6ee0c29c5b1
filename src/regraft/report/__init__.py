"""Frames in, pages out: verdict, figures, tables."""
