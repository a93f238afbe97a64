"""The REST interface: a file a noun."""
