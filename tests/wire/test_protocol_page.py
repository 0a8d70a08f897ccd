"""The page about the wire names what is in the code: every message, where it is, and the limits."""

import re
from pathlib import Path

import maquette_wire
import msgspec
import pytest
from maquette_server import service
from maquette_wire import answers, codec, parts, requests

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
WORDS = " ".join(PAGE.split())
MIB = 2**20


def test_every_message_is_on_the_page() -> None:
    for module in (requests, answers):
        for name, value in vars(module).items():
            if isinstance(value, type) and issubclass(value, parts.Message) and value is not parts.Message:
                assert f"`{name}`" in PAGE, name


def test_the_files_it_names_are_there_and_have_the_records() -> None:
    folder = Path(maquette_wire.__file__).parent
    for name in re.findall(r"`(\w+\.py)`", PAGE):
        assert (folder / name).is_file(), name
    for module in (requests, answers, parts):
        name = module.__name__.rpartition(".")[2]
        assert f"`{name}.py`" in PAGE
        own = [
            value for value in vars(module).values() if getattr(value, "__module__", "") == module.__name__
        ]
        assert any(isinstance(value, type) and issubclass(value, msgspec.Struct) for value in own)


@pytest.mark.parametrize(
    "says",
    [
        f"header of at most {codec.MAX_HEADER // MIB} MiB",
        f"at most {codec.MAX_FRAMES} binary frames of at most {codec.MAX_FRAME // MIB} MiB each",
        f"{codec.MAX_MESSAGE // MIB} MiB together",
        f"one frame of {codec.CHUNK // MIB} MiB",
        f"not said hello may send {service.MAX_GREETING // 1024} KiB",
        f"up to {service.MAX_FOLLOWS} that are not finished",
        "does not know with `job.unknown`",
    ],
)
def test_the_limits_are_those_of_the_code(says: str) -> None:
    assert says in WORDS
