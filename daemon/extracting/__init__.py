"""Taking text out of files that are not plain text, in a child process that can do nothing else.

The service opens a file and hands the descriptor over; the child reads it with other people's
libraries, under limits on memory, time and output, and what it answers is checked before it counts.
"""
