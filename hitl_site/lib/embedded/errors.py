"""Why an embedded server cannot run, in words for the person at the terminal."""


class CannotServe(RuntimeError):
    """The message says what is wrong and what to do; it is printed as it stands."""
