"""A shop on Django with an app of its own called `campaigns`: `case_*.py` are its tests, in processes of their own."""
