"""The task that stores a dataset message in SciCat as well: one message, both catalogues."""
