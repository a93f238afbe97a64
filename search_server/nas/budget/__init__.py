"""What networks may cost: expected latency, caps, projection, the most probable network within them."""
