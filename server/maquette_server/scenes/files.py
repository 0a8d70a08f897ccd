"""The files of a scene, wherever they lie: a folder of this machine, or a job's list of stored files."""

from collections.abc import Mapping
from pathlib import Path

from maquette_wire.errors import UserError

MAX_FILE = 2 << 30  # bytes
_WEIGHTS = "/field.safetensors"


class SceneFiles:
    """Files by their paths below the scene's folder."""

    def __init__(self, places: Mapping[str, Path], name: str = "") -> None:
        """name: what the scene is called in sentences, where it has a name."""
        self.places = dict(places)
        self.called = f"scene '{name}'" if name else "scene"

    @classmethod
    def of_folder(cls, folder: Path) -> "SceneFiles":
        """The files of a folder that `reconstruct` wrote. Raises UserError `scene.bad`."""
        if not (folder / "scene.json").is_file():
            raise UserError(
                "scene.bad",
                f"'{folder}' is no scene: it holds no scene.json.",
                hint="Name a folder that maquette reconstruct has written.",
            )
        wanted = ["scene.json", "cameras.json"]
        wanted += [str(path.relative_to(folder)) for path in sorted((folder / "checkpoints").glob("*/*"))]
        wanted += [str(path.relative_to(folder)) for path in sorted((folder / "moments").glob("*/*"))]
        for sub in ("images", "masks", "depths", "edited"):
            wanted += [str(path.relative_to(folder)) for path in sorted((folder / sub).glob("*"))]
        found = {Path(path).as_posix(): folder / path for path in wanted}
        shown = {path: place for path, place in found.items() if not place.name.startswith(".")}
        return cls({path: place for path, place in shown.items() if place.is_file()}, str(folder))

    def place(self, path: str) -> Path:
        """Where a file lies. Raises UserError `scene.bad` when it is missing."""
        place = self.places.get(path)
        if place is None:
            raise UserError("scene.bad", f"The {self.called} lacks the file '{path}'.", hint=_AGAIN)
        return place

    def read(self, path: str) -> bytes:
        """A file's bytes. Raises UserError `scene.bad` when it is missing, unreadable or above 2 GiB."""
        place = self.place(path)
        try:
            if place.stat().st_size > MAX_FILE:
                raise UserError("scene.bad", f"'{path}' of the {self.called} is too large.", hint=_AGAIN)
            return place.read_bytes()
        except OSError as error:
            raise UserError(
                "scene.bad",
                f"'{path}' of the {self.called} cannot be read: {error.strerror}.",
                hint=_AGAIN,
            ) from error

    def at(self, moment: int | None) -> "SceneFiles":
        """The scene as it was at a moment of its edit, by its step; None: as it is. Raises UserError
        `scene.bad`.
        """
        if moment is None:
            return self
        kept = self._moments()
        if moment not in kept:
            steps = ", ".join(map(str, sorted(kept)))
            raise UserError(
                "scene.bad",
                f"The {self.called} has no moment {moment}.",
                hint=f"Its moments are {steps}." if kept else "Only edited scenes have moments.",
            )
        places = {path: place for path, place in self.places.items() if not path.startswith("checkpoints/")}
        places[f"checkpoints/{moment:07d}{_WEIGHTS}"] = self.places[kept[moment]]
        found = SceneFiles(places)
        found.called = self.called
        return found

    @property
    def first_moment(self) -> str | None:
        """Path of the weights of the earliest moment; None where there is none."""
        kept = self._moments()
        return kept[min(kept)] if kept else None

    def _moments(self) -> dict[int, str]:
        """Paths of the weights of moments, by step."""
        return {
            int(path.split("/")[1]): path
            for path in self.below("moments")
            if path.endswith(_WEIGHTS) and path.split("/")[1].isdigit()
        }

    def below(self, folder: str) -> list[str]:
        """Paths of the files below a folder, sorted."""
        return sorted(path for path in self.places if path.startswith(folder + "/"))


_AGAIN = "Take another copy of the scene, or reconstruct it again."
