"""A real PostgreSQL, a real Valkey and the sandbox gateway for a machine that has none, and the processes beside them.

`attach` starts what does not run yet and holds it while its caller lives; `Supervisor` keeps processes of the
Procfile running. No Docker, no root, nothing installed by hand: the servers come from wheels (extra `embedded`).
"""

from worker.embedded.errors import EmbeddedError
from worker.embedded.gateway import API_KEY as SANDBOX_API_KEY
from worker.embedded.home import Attached, attach
from worker.embedded.supervisor import ProcessState, Supervisor

__all__ = ["SANDBOX_API_KEY", "Attached", "EmbeddedError", "ProcessState", "Supervisor", "attach"]
