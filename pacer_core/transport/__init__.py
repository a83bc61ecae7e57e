"""The broker: topology, consuming, publishing, settling; the only door to kombu."""
