"""How the database comes to its tables, and from one version's to the next."""
