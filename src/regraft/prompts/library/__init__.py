"""The templates shipped with regraft."""
