"""Pilots: a limited user group and an A/B test around a challenger."""
