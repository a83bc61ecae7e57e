"""The consumer type ``investigation-operations``: what other plugins are to do about an investigation."""
