"""How fast PACER is on other brokers than one RabbitMQ: ``python -m benchmarks.brokers``."""
