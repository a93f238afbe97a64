"""How theta learns which candidates to choose."""
