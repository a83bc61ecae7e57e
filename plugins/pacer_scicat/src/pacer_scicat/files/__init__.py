"""The consumer type ``nexus-files``: files that a writer has finished, as datasets of SciCat."""
