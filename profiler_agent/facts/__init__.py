"""What this device is, and how it is right now."""
