"""How theta learns: a step, and what each candidate adds to the loss."""
