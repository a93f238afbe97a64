"""From theta to a few networks: one is decided, others are drawn, short trainings rank them."""
