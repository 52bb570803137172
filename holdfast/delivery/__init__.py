"""Reaching people: the outbox, and the worker that empties it."""
