"""`zelador models`: commands for a registry on this machine, or behind the admin API of another machine."""

from command.models.app import app

__all__ = ["app"]
