"""What `import campaigns` offers, one file for each thing that somebody wants of it.

steering  create, start, pause, resume, cancel, send_uncertain
watching  get, newest, progress, waiting, report, export, export_rejects, preview
inbox     inbox, inbound, taken
otp       otp, otp_state
people    suppress, unsuppress, suppressed
bind      the caller's transaction, in which all of them work
"""
