"""Pacifica's other services, and what stands in for them: numbers, policy, catalogue."""
