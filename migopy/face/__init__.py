"""How it is typed."""
