"""The state of PACER itself, from its health endpoints."""
