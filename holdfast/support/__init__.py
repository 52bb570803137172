"""Talking with a person: one conversation for each user, for ever, and everybody on duty can hear it."""
