"""What people do with messages: send them again, acknowledge them, empty dead queues."""
