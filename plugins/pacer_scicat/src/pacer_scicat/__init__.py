"""PACER for SciCat."""
