"""What the plugin registers with PACER."""
