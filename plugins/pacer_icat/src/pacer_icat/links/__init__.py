"""The consumer type ``dataset-links``: which datasets were made from which, directly and all the way."""
