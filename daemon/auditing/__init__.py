"""What `nightloom privacy audit` looks at: one file for each kind of check. All are pure or only
read; what is found is told as `daemon.doctor.Finding`s.
"""
