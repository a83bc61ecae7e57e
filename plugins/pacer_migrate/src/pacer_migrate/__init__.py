"""Configurations of ICAT-PACER, made PACER's; `pacer config migrate` asks for it."""
