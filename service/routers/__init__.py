"""Routes of the API; they only translate."""
