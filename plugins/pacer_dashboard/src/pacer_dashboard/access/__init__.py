"""Who may see and do what: accounts, OpenID Connect, roles."""
