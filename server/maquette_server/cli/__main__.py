"""`python -m maquette_server.cli` is the command line too."""

from maquette_server.cli import main

if __name__ == "__main__":
    main()
