"""How fast we are, against the stock way in the same run on the same data, and against the limits.

`python -m trainer.bench kernels | train | decode` measures and prints one JSON object. Random NF4
models are made directly in 4 bits. Knows nothing of tables or of the command line's words.
"""
