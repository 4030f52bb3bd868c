"""Forms of the learning app: they parse; services act."""
