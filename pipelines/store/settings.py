"""The store's password from the environment, for an address without one."""

import sqlalchemy as sa
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipelines.settings import AbsolutePath
from pipelines.store.errors import StoreError
from schemas.addresses import sqlite_path


class StoreEnvironment(BaseSettings):
    """The settings ROLLOUT_STORE_PASSWORD and ROLLOUT_STORE_PASSWORD_FILE; PGPASSWORD works too."""

    model_config = SettingsConfigDict(env_prefix="ROLLOUT_STORE_")

    password: SecretStr | None = None
    password_file: AbsolutePath | None = None

    def secret(self) -> str | None:
        """Returns the password, if there is one. Raises StoreError if its file cannot be read."""
        if self.password is not None:
            return self.password.get_secret_value()
        if self.password_file is None:
            return None
        try:
            return self.password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(f"The password file {self.password_file} cannot be read.") from error


def with_password(address: str) -> str:
    """Returns the store's address with the environment's password, for workers without that environment."""
    secret = None if sqlite_path(address) is not None else StoreEnvironment().secret()
    if secret is None:
        return address
    url = sa.make_url(address)
    if url.password or "password" in url.query:
        return address
    return url.set(password=secret).render_as_string(hide_password=False)
