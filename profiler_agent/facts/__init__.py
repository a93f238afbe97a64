"""What this device is, how it is right now, and what it offers a server."""
