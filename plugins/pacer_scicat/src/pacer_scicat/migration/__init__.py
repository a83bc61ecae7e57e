"""Configurations of SciCat's own ingestor, turned into PACER's."""
