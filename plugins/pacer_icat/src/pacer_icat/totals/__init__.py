"""The consumer type ``dataset-statistics``: what a dataset, its sample and its investigation hold."""
