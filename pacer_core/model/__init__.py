"""What everything speaks of: messages, consumer types, errors, secrets, names. It imports nothing of ours."""
