"""From settings to a client."""
