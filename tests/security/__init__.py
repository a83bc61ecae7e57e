"""What a hostile publisher, member of the network, file or plugin can try; docs/explanation/security.md is its index."""
