"""Consumers that change datasets which ICAT has already: their metadata, files, and archive status."""
