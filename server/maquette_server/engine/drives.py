"""Whether a folder lies on a network drive, where SQLite's WAL and its shared memory do not work
(https://sqlite.org/wal.html).

Said by Linux in /proc/self/mountinfo and by Windows' GetDriveTypeW; nowhere else is it known. What containers
and virtual machines mount from their own host (overlay, 9p, virtiofs) counts as a drive of this machine.
"""

import ctypes
import os
import re
from pathlib import Path, PureWindowsPath

MOUNTS = Path("/proc/self/mountinfo")
REMOTE = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "coda", "davfs", "fuse.davfs2"),
        *("ceph", "fuse.ceph-fuse", "glusterfs", "fuse.glusterfs", "lustre", "gpfs", "beegfs", "orangefs"),
        *("fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.gvfsd-fuse", "fuse.smbnetfs", "fuse.curlftpfs"),
    }
)
"""file systems whose files other machines can change"""
_WINDOWS_REMOTE = 4  # DRIVE_REMOTE


def network_type(folder: Path) -> str:
    """The file system's name if the folder (which need not exist) lies on a network drive, else empty."""
    if os.name == "nt":
        root = PureWindowsPath(os.path.abspath(folder)).anchor
        kind = getattr(ctypes, "windll").kernel32.GetDriveTypeW(root)  # noqa: B009  # only Windows has it
        return "a network drive" if kind == _WINDOWS_REMOTE else ""
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
    found = type_of(mounts, os.path.realpath(folder))
    return found if found in REMOTE else ""


def type_of(mounts: str, path: str) -> str:
    """The type of the file system that holds an absolute path without links, by the text of a mountinfo."""
    best, found = "", ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()[:1]
        if len(fields) < 5 or not kind:
            continue
        place = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4])
        inside = path == place or path.startswith(place.rstrip("/") + "/")
        if inside and len(place) >= len(best):  # of two at one place the later one lies on top
            best, found = place, kind[0]
    return found
