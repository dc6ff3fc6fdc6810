"""What is to be done, and doing it."""
