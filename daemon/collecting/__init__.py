"""From the places that the user allowed to documents that may be kept: file, text, redaction.

A new kind of source is one file with one class that has the methods of `source.Source`, and one
line in `kinds.KINDS`. It finds files, says which it leaves out and why, and makes one or more
`CollectedDocument`s of each; waiting for quiet, redaction, batches and reports come from here and
are the same for all kinds.

    watching (hints) ──> collector ──> settling ──> source.read ──> redaction ──> the vault
    rescan (hourly)  ──┘
"""
