"""Everything that can go wrong by the user's doing.

NeupimsError                 exit code 1, one sentence, no traceback
├── ConfigError              a hardware or sweep file: file:line:column: key: what, what is allowed, a hint
├── RequestError             a request file or a data set
├── ModelError               an architecture, its variant or its options
├── CapacityError            a batch that does not fit, with the numbers
└── ResultError              a record, a folder or a file that cannot be read or written
"""


class NeupimsError(Exception):
    """What the user asked for cannot be done; the message says where, what, and what is allowed."""


class ConfigError(NeupimsError):
    """A hardware file or an override is wrong."""


class RequestError(NeupimsError):
    """A request file or data set is wrong."""


class ModelError(NeupimsError):
    """An architecture, a variant or an option does not exist or does not fit."""


class CapacityError(NeupimsError):
    """The memory of the device cannot hold what it should."""


class ResultError(NeupimsError):
    """A result cannot be read or written."""
