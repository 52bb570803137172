"""What helps you: the profile."""
