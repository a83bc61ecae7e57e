"""A page where everybody sees what became of their message."""
