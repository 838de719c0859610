"""Workers with one rule taken out, to see whether the checker notices: the test of the test.

Each is a Celery app that stands in for `worker`. Replacing parts of the product is meant here, and nowhere else.
"""
