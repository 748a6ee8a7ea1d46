"""The service's settings: a table of all of them, and the only reader of the environment."""

from schemas.settings_errors import SettingsError, explained_in
from settings.loading import ENVIRONMENT, load_auth, load_settings
from settings.table import Settings

__all__ = ["ENVIRONMENT", "Settings", "SettingsError", "explained_in", "load_auth", "load_settings"]
