"""A name for a piece of data that depends on its content alone."""

import hashlib
import json


def digest(value: object) -> str:
    """SHA-256, in hexadecimal, of the canonical JSON of `value`: keys sorted, no spaces, no NaN."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
