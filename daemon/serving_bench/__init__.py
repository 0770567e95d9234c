"""What `nightloom bench serve` measures; it runs in a child process of its own, without torch."""
