"""What an operator does with a server: back up, restore, compact, look after."""
