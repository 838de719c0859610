"""Pure functions and tables: no clock, no I/O, no randomness.

states           campaign, batch, message and OTP states, and every move between them
text             size of a text, placeholders of a template
phone            mobile numbers and sender lines in every spelling
message_options  kind, type, tag, policy, repeat: the options of a campaign's messages
otp_request      check a request for a one-time password
batches          sizes and ids of batches, the rows of an answer, the gateway's windows, when a batch is polled
dates            days and moments in the Persian and the Gregorian calendar, on Tehran's clock
spreadsheet      number formats of cells, and cells that a spreadsheet cannot run as formulas
suppression      reasons for suppressing a number, and opt-out words
"""
