"""Jobs: what is wanted, what has happened, and the worker processes that do it. Never imports torch."""
