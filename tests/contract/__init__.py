"""What every transport agrees on: RabbitMQ, the embedded broker in a file, and the one in memory."""
