"""The consumer type ``scicat-samples``: runs that start, whose samples are found or created."""
