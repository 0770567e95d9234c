"""How a base comes to this machine: from a folder, or from a hub over the network.

Two processes: the command, which downloads and never imports `trainer`, and the maker
(`maker.py`), which reads what was downloaded and denies itself the network. Neither the service nor
the engine takes part.
"""
