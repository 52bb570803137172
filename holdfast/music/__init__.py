"""What calms you: tracks, and whose track is which."""
