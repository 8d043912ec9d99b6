"""What the service answers, typed and described."""
