"""The seam to the protocol package: in a checkout `maquette_wire`, in the zip the same package as `wire/`.

`build_addon.py` leaves this file out. Add-on code writes `from .wire import messages`, modules and not names
out of them.
"""

from maquette_wire import PROTOCOL, __version__, arrays, codec, errors, happenings, link, messages

__all__ = ["PROTOCOL", "__version__", "arrays", "codec", "errors", "happenings", "link", "messages"]
