"""PACER for ICAT: consumers, and a client for plugins."""
