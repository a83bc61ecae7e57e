"""AMQP 0-9-1 on the wire: what py-amqp does, read and written many at a time."""
