"""A shop on plain SQLAlchemy; `case_*.py` are its tests, run by a pytest of its own."""
