"""All that the first minute needs: the core, ICAT, an embedded broker, a sandbox, and `pacer demo`.

``demo`` and ``messages`` are the folders ``examples/demo`` and ``examples/messages`` of the repository.
"""
