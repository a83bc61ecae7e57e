"""What hostile publishers, networks, files and plugins can try; docs/explanation/security.md is the index."""
