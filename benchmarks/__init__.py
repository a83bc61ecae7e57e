"""How fast PACER consumes, beside other consumers on the same broker; ``nox -s bench`` runs it."""
