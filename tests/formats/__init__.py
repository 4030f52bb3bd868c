"""Every format read back by the programs that it is for (make test-formats)."""
