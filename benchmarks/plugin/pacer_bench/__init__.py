"""The plugin that the benchmark's PACER workers load."""
