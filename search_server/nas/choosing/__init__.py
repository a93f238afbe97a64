"""From theta to a few networks: drawn, tried out, trained."""
