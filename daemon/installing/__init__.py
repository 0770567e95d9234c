"""What makes nightloom a service of the system: units, their directives and the proof of them.

Everything that is written is made here from values: systemd's units, launchd's property list,
completions and the manual page. `systemd_manager.py` and `launchd_agent.py` talk to the managers.
"""
