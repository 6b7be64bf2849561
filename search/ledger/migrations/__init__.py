"""Alembic's folder: one revision per change of the schema, never edited once released."""
