"""The command line `maquette`: one file a verb group. What is heavy is imported inside a verb."""


def main() -> None:
    """The console script. Ends the process with the status that `endings` describes."""
    from .app import app

    app(prog_name="maquette")
