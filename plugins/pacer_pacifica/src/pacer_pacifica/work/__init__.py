"""The work of a job: the consumer types ``pacifica-bundles`` and ``pacifica-moves``, and their tasks."""
