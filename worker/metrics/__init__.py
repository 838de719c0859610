"""What Prometheus may know of the house: how it paces itself and what waits, never who, what or whose.

    families   every metric as a row of a table: its name, its meaning, and where it is read
    collector  reads them anew for every scrape, and says what could not be read
    server     HTTP in front of it, for whoever knows the name and the password

Nothing is counted in the workers: all of it stands in Redis and PostgreSQL already, for all hosts together.
"""

from worker.metrics.collector import Figures
from worker.metrics.server import application, listening

__all__ = ["Figures", "application", "listening"]
