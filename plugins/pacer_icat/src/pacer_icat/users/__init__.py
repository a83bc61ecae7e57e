"""The consumer type ``users``: people and their accounts."""
