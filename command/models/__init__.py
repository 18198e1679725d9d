"""`zelador models`: a registry here (the settings', or a home's), or one behind the admin API of another machine."""

from command.models.app import app

__all__ = ["app"]
