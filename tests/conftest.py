"""What every test may ask for: the real data, a free port, the `maquette` command, fixed seeds.

One thread for arithmetic and no network for models hold for the tests and for every process they start.
"""

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

for _name, _value in {
    # more threads than cores make small tensors many times slower, so one it is, wherever the tests run
    "OMP_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}.items():
    os.environ[_name] = _value

import hypothesis  # noqa: E402  # the environment above must stand before any library reads it
import numpy as np  # noqa: E402
import pytest  # noqa: E402

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A suite started in the background ignores Ctrl-C, and so would its children; tests send it on purpose.
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]

hypothesis.settings.register_profile("maquette", deadline=None, max_examples=50, derandomize=True)
hypothesis.settings.load_profile("maquette")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked `gpu` are skipped where there is none; torch is asked only if there are such tests."""
    waiting = [item for item in items if item.get_closest_marker("gpu")]
    if waiting:
        import torch

        if not torch.cuda.is_available():
            for item in waiting:
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The global generators start alike in every test, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)
    if (torch := sys.modules.get("torch")) is not None:
        torch.manual_seed(0)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data: MAQUETTE_TEST_DATA, else `shared/data` beside the repository.

    Without it the test is skipped; with CI=true it fails, so that nothing is left out unseen.
    """
    folder = Path(os.environ.get("MAQUETTE_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        sentence = f"the real data is not at {folder}; MAQUETTE_TEST_DATA names another place"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return folder.resolve()


@pytest.fixture
def free_port() -> int:
    """A port of the loopback interface that nobody listened on a moment ago.

    None of those that connections begin at by themselves: a client that keeps trying before its server is
    there may come to begin at the very port it tries, and then talks to itself. Nor one that another process
    of the same tests draws: those may begin with the same random numbers.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@pytest.fixture
def private_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own, for this process and for those it starts."""
    home = tmp_path / "home"
    for name, folder in {
        "HOME": home,
        "USERPROFILE": home,
        "XDG_CACHE_HOME": home / "cache",
        "XDG_CONFIG_HOME": home / "config",
        "XDG_DATA_HOME": home / "data",
        "XDG_RUNTIME_DIR": home / "run",
    }.items():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        monkeypatch.setenv(name, str(folder))
    for name in ("MAQUETTE_SERVER", "MAQUETTE_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    return home


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def maquette(private_home: Path, tmp_path: Path) -> Command:
    """`maquette("paint", mesh, ...)` runs the command line as its own process: exit status and output.

    It runs in `tmp_path` with a home of its own; `timeout` (seconds, default 300) ends what hangs.
    """

    def command(*words: object, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "maquette_server.cli", *map(str, words)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )

    return command
