"""Rules that tell people of what goes wrong."""
