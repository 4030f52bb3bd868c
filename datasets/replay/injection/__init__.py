"""How far policies stop orders that came in with the data: a study on recorded agents under attack."""
