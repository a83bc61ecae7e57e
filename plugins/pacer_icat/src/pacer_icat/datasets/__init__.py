"""The consumer type ``datasets``: raw and processed datasets with their files, parameters and sample."""
