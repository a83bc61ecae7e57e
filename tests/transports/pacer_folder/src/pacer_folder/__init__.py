"""A transport of somebody else's, as PACER's own tests install it."""
