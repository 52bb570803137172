"""Whom you trust: emergency contacts and therapists."""
