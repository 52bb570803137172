"""Calling for help."""
