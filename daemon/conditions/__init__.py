"""What has to hold for a night to work: power, presence, heat, room, hours.

Each provider reads one thing at the edge and tells (`reading.py`); `decision.py` decides over all
of them and touches nothing. What cannot be read counts as a no.
"""
