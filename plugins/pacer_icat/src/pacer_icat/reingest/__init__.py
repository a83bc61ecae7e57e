"""The consumer type ``reingest``: messages rebuilt from ICAT, to be handled once more."""
