"""What people said, in a database: SQLite in a file or PostgreSQL, through the same functions."""
