"""Found networks as files that others run: they take plain images and say what they are."""
