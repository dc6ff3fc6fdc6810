"""A dump before a deploy, and the way back."""
