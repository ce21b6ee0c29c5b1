"""Every test here works on a copy of one small site."""

from site_world import made, world

__all__ = ["made", "world"]
