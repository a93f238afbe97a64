"""The agent: runs on a phone or board, measures workloads, sends results."""
