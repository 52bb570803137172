"""Who you are: people, their passwords and their tokens."""
