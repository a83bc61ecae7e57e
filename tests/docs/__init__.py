"""What the documentation says is executed here."""
