"""Parcels of samples, between the user office, a courier and ICAT."""
