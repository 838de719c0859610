"""A real PostgreSQL, a real Valkey and the sandbox gateway for a machine that has none, and the demo.

    home             the folder of the servers; `attach` starts them and keeps them running while its caller lives
    servers          a daemon that answers on its own port; postgres, valkey and sandbox_gateway are three of them
    daemons          a process that outlives its starter, and that any process of the user can find and stop
    supervisor       keeps the processes of the Procfile running
    demo/            the whole installation on one machine, and one campaign through all of it

No Docker, no root, no manual installation: the servers come from wheels.
"""

from campaigns_devkit.daemons import EmbeddedError
from campaigns_devkit.home import Attached, attach
from campaigns_devkit.sandbox_gateway import API_KEY as SANDBOX_API_KEY
from campaigns_devkit.supervisor import ProcessState, Supervisor

__all__ = ["SANDBOX_API_KEY", "Attached", "EmbeddedError", "ProcessState", "Supervisor", "attach"]
