"""A simulated agent world that drives the product through its services, to see the ladder at work."""
