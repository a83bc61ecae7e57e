"""Whether investigations have what they should have."""
