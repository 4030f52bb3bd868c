"""Demo data of our own making: a small shop's agents, its reviewers, a month of work, a living inbox."""
