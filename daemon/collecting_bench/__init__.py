"""What `nightloom bench collect` measures; it runs in a child process of its own."""
