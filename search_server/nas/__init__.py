"""Differentiable architecture search: torch, numpy and shared only; yields facts, never logs them."""
