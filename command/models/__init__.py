"""`zelador models`: commands for a registry on this machine, or for one on another machine through its admin API."""

from command.models.app import app

__all__ = ["app"]
