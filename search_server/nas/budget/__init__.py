"""What networks may cost, and how theta and the decided network keep to it."""
