"""How a site moves on: rows come in, a period is closed, the gate decides, versions are published and rolled back."""
