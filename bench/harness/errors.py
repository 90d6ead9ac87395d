"""BenchError: something a person must see and can act upon; the tools print it without a traceback."""


class BenchError(Exception):
    """The text is a sentence that names what is wrong and what to do."""
