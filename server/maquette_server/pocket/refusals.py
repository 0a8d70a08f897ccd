"""What cannot be done as it was asked: one sentence with the way out."""


class Refused(Exception):
    """Its text is all that is shown."""
