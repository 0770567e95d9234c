"""How the built-in base was made: corpus, invented people, tokenizer, training run.

Nothing here is imported at run time; it stays so that the shipped weights can be made again.
"""
