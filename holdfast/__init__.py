"""Holdfast: calm, and the people somebody trusts, one touch away."""

__version__ = "0.1.0"
