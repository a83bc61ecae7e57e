"""RabbitMQ, over the core's own transport, keeps what every transport does; and that transport itself."""
