"""The stream process: long waits of agents and the live line of open inboxes. Async; no ORM per connection."""
