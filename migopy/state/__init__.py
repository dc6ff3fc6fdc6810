"""What is kept in the database: the registry, the history and the lock."""
