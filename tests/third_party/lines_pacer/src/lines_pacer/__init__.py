"""Somebody else's plugin for PACER: a service that sends the lines of a file."""
