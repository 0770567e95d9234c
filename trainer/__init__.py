"""All that touches the model: text in, adapter out, tokens out.

Knows nothing of keys, SQLite, sockets or the time of day. Importing it forbids its libraries the
network, because they read that setting only once, at their own import.
"""

from trainer.offline import go_offline

go_offline()
