"""The readers' own tests run in another environment (make test-formats)."""

collect_ignore = ["readers"]
