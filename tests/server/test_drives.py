"""Network drives: how they are known, what is refused there, and what works all the same."""

import os
import sys
from pathlib import Path

import pytest
from maquette_server import config, transport
from maquette_server.engine import drives, engine, journal
from maquette_wire.errors import UserError

MOUNTS = r"""22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:21 / /proc rw,nosuid - proc proc rw
30 22 0:40 / /home rw - autofs systemd-1 rw,fd=29
31 30 0:41 / /home rw,relatime shared:9 - nfs4 server:/home rw,vers=4.2,addr=10.0.0.1
32 22 0:42 / /mnt/win\040share rw - cifs //server/share rw
33 22 0:43 / /host rw - 9p hostshare rw,trans=virtio
34 22 0:44 / /shared rw - virtiofs shared rw
35 22 0:45 / /var/lib/box rw - overlay overlay rw,lowerdir=/a:/b
36 22 0:46 / /remote rw,nosuid master:1 propagate_from:2 - fuse.sshfs me@there:/ rw
37 22 8:17 / /remote/disk rw - xfs /dev/sdb1 rw
broken line
"""


@pytest.mark.parametrize(
    ("path", "kind", "remote"),
    [
        ("/", "ext4", False),
        ("/home", "nfs4", True),
        ("/home/out/.job", "nfs4", True),
        ("/homeless", "ext4", False),
        ("/mnt/win share/project", "cifs", True),
        ("/host/out", "9p", False),
        ("/shared/out", "virtiofs", False),
        ("/var/lib/box/data", "overlay", False),
        ("/remote/project", "fuse.sshfs", True),
        ("/remote/disk/project", "xfs", False),
    ],
)
def test_the_innermost_mount_says_what_holds_a_folder(path: str, kind: str, remote: bool) -> None:
    assert drives.type_of(MOUNTS, path) == kind
    assert (kind in drives.REMOTE) is remote


@pytest.fixture
def on_nfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of which the system says that it lies on NFS."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 0 0:1 / {os.path.realpath(tmp_path)} rw - nfs4 server:/x rw\n", encoding="utf-8")
    monkeypatch.setattr(drives, "MOUNTS", mounts)
    return tmp_path / "project"


def journal_mode(folder: Path) -> str:
    book = journal.Journal(folder)
    (mode,) = book._base.execute("pragma journal_mode").fetchone()
    book.close()
    return str(mode)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows drives by their letters")
def test_a_server_refuses_a_data_folder_on_a_network_drive(on_nfs: Path) -> None:
    with pytest.raises(UserError) as refused:
        transport.serve(on_nfs, "tcp://127.0.0.1:0", ("cpu",))
    assert refused.value.code == "data.unusable"
    assert "nfs4" in refused.value.sentence
    assert "--data-dir" in refused.value.hint
    assert not on_nfs.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows drives by their letters")
def test_a_commands_own_engine_works_there_without_shared_memory(on_nfs: Path) -> None:
    engine.JobEngine(on_nfs, config.Config(), devices=()).close()
    assert journal_mode(on_nfs) == "delete"
    assert not list(on_nfs.glob("*-shm"))


def test_on_a_drive_of_this_machine_the_journal_is_written_ahead(tmp_path: Path) -> None:
    assert journal_mode(tmp_path) == "wal"


@pytest.mark.skipif(not drives.MOUNTS.exists(), reason="only Linux lists its mounts there")
def test_this_machines_own_list_of_mounts_is_understood(tmp_path: Path) -> None:
    mounts = drives.MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    assert drives.type_of(mounts, os.path.realpath(tmp_path))
