"""Rows of CONSOLE_USERS whose hashes cost a thirtieth of what real ones do: a test signs in a dozen times."""

from werkzeug.security import generate_password_hash


def quick_row(name, role, password):
    """The entry for a user with this password."""
    return f"{name}:{role}:{generate_password_hash(password, 'scrypt:1024:8:1').replace('$', '.')}"
