"""Workers that lack one rule: tests that the checker notices.

Each is a Celery app that stands in for `worker`. Replacing parts of the product is meant here, and nowhere else.
"""
