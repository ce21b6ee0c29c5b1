"""The layers below the adapted ones, computed once per text and kept."""
