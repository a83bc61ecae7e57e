"""Schemas: how a file becomes a dataset. Read from ``imsc`` files, extended by plugins."""
