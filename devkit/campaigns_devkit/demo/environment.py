"""The environment of the demo's processes, built from an empty one: the shell's variables do not reach them.

So no proxy applies, which could not reach this machine's loopback, and no real account's key.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from campaigns_devkit import SANDBOX_API_KEY

PROJECT: Final = Path(__file__).resolve().parents[3]
"""The folder of the Procfile. Celery finds the package `worker` in it, even if the package is not installed."""

PROCESSES: Final = ("worker-send", "worker-poll", "beat", "flower", "metrics")
SENDER: Final = "10004346"
"""A sender line that the sandbox knows."""

SANDBOX_OPTIONS: Final = ("--delivery", "2s..8s")

# Settings for a campaign of minutes instead of days.
_FAST_SETTINGS: Final = {
    "STATUS_POLLS": "2s,4s,6s,8s,10s,12s,15s,20s,25s,30s,40s,60s",
    "UNKNOWN_GRACE": "5s",
    "HTTP_DEADLINE": "5s",
    "LEASE": "15s",
    "REENQUEUE_AFTER": "3s",
    "HOLD_RECHECK": "10s",
    "PACE_START": "40",
    "PACE_MAX": "60",
    "SEND_THREADS": "8",
    "POLL_THREADS": "4",
}


@dataclass(frozen=True, slots=True, repr=False)
class DemoEndpoints:
    """The addresses and passwords of a running demo. Holds secrets: it has no repr."""

    home: Path
    database_url: str
    broker_url: str
    gateway_url: str
    flower_port: int
    flower_password: str  # also for the metrics
    metrics_port: int

    @property
    def flower_url(self) -> str:
        """Return Flower's URL for a browser."""
        return f"http://127.0.0.1:{self.flower_port}"

    @property
    def metrics_url(self) -> str:
        """Return the URL of the metrics for Prometheus. They need Flower's user and password."""
        return f"http://127.0.0.1:{self.metrics_port}/metrics"

    @property
    def flower_password_file(self) -> Path:
        """Return the path of the file with Flower's password, which only its owner can read."""
        return self.home / "flower-password"


FLOWER_USER: Final = "campaigns"


def bare_environment(home: Path) -> dict[str, str]:
    """Return the least environment in which a process of the demo can run."""
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
        "CAMPAIGNS_HOME": str(home),
    }


def process_environment(endpoints: DemoEndpoints) -> dict[str, str]:
    """Return the environment of the Procfile's processes, and of commands that work on the demo's installation."""
    return {
        **bare_environment(endpoints.home),
        **_FAST_SETTINGS,
        "DATABASE_URL": endpoints.database_url,
        "CAMPAIGNS_BROKER_URL": endpoints.broker_url,
        "KAVENEGAR_BASE_URL": endpoints.gateway_url,
        "KAVENEGAR_API_KEY": SANDBOX_API_KEY,
        "KAVENEGAR_SENDER": SENDER,
        "FLOWER_PORT": str(endpoints.flower_port),
        "FLOWER_BASIC_AUTH": f"{FLOWER_USER}:{endpoints.flower_password}",
        "METRICS_PORT": str(endpoints.metrics_port),
        "METRICS_BASIC_AUTH": f"{FLOWER_USER}:{endpoints.flower_password}",
    }
