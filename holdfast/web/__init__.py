"""What a browser fetches."""
