"""What agents and runners ask of the learning app over HTTP. The contract is docs/api.md."""
