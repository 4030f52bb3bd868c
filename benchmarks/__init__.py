"""Benchmarks: ratios within one run, with the machine beside them. `make bench` runs them all."""
