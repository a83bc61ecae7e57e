"""The consumer type ``investigations``: proposals with their visits, members and instrument."""
