"""Brokers: the ways in which messages come and go."""
