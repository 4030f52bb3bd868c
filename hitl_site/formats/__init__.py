"""How numbers look that templates print by themselves."""
