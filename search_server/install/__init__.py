"""What the server carries so that a device needs one line: the agent's wheel, its pins, the script."""
