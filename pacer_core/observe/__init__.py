"""PACER seen from outside: its logs, its metrics, its health."""
