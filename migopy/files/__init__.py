"""What lies on disk: the migrations and their folder."""
