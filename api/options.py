"""Checks of options and environment variables, which the processes of the service share."""

import ipaddress

from archsmith.errors import ConfigurationError


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def whole_number(name: str, text: str, low: int, high: int) -> int:
    """The number in the option or variable `name`. Raises ConfigurationError."""
    if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
        raise ConfigurationError(f"{name} must be a whole number from {low} to {high}, got {text[:40]!r}")
    return int(text)
