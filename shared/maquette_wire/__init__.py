"""The wire between a Maquette client and a Maquette server: version and protocol number."""

__version__ = "0.1.0"
PROTOCOL = 4
