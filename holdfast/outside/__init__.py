"""Somebody else's machines: one file for each kind."""
