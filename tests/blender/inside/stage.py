"""Runs one file of facts inside a real Blender: `python stage.py ZIP FACTS.py`.

Installs and enables the zip in the profile of BLENDER_USER_RESOURCES, runs pytest on the file, disables the
extension and leaves by `os._exit`: the bpy module of 4.2 crashes at a normal exit when anything is still
registered.
"""

import logging
import os
import sys
from pathlib import Path

import bpy
import pytest

MODULE = "bl_ext.user_default.maquette"


def run(zip_path: str, facts: str) -> int:
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    if MODULE not in bpy.context.preferences.addons:
        print("the extension was not enabled")
        return 3
    options = ["-q", "-c", os.devnull, "--noconftest", "-p", "no:cacheprovider", "--import-mode=importlib"]
    if os.environ.get("MAQUETTE_TEST_ONLY"):
        options += ["-k", os.environ["MAQUETTE_TEST_ONLY"]]
    status = pytest.main([facts, f"--rootdir={Path(facts).parent}", *options])
    if MODULE in bpy.context.preferences.addons:
        bpy.ops.preferences.addon_disable(module=MODULE)
    return int(status)


if __name__ == "__main__":
    code = 4
    try:
        code = run(sys.argv[1], sys.argv[2])
    except Exception:  # told here, as the exit below shows nothing of it
        logging.exception("the facts could not be run")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
