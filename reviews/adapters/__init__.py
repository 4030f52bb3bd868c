"""Wire formats: bytes and JSON values in, values out. No database."""
