"""The stream process: long waits of agents, the live line of open inboxes. Async; no ORM per connection."""
