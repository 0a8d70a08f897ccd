"""Where the next view comes from: a pool made once and dealt like cards, or a fresh camera every time."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from . import seeds

View = TypeVar("View")
ViewT = TypeVar("ViewT", covariant=True)


class ViewSource(Protocol[ViewT]):
    """Deals views; its state can be saved."""

    def draw(self) -> ViewT:
        """The next view."""

    def state(self) -> dict[str, Any]:
        """JSON-able; with `restore` the same views follow."""

    def restore(self, saved: dict[str, Any]) -> None:
        """Goes back to where `state` was taken."""


class Pool(Generic[View]):
    """Every view once in random order, then again in another: no part of the object waits long."""

    def __init__(self, views: Sequence[View], rng: np.random.Generator) -> None:
        self._views = views
        self._rng = rng
        self._order: list[int] = []

    def draw(self) -> View:
        """The next card of the deck."""
        if not self._order:
            self._order = self._rng.permutation(len(self._views)).tolist()
        return self._views[self._order.pop()]

    def state(self) -> dict[str, Any]:
        """The rest of the deck and the generator."""
        return {"random": seeds.state_of(self._rng), "order": list(self._order)}

    def restore(self, saved: dict[str, Any]) -> None:
        """See `ViewSource`."""
        seeds.restore(self._rng, saved["random"])
        self._order = [int(k) for k in saved["order"]]


class Fresh(Generic[View]):
    """A new camera for every step, as the released code of arXiv:2211.07600 draws them."""

    def __init__(self, make: Callable[[np.random.Generator], View], rng: np.random.Generator) -> None:
        self._make = make
        self._rng = rng

    def draw(self) -> View:
        """Drawn, rasterised and forgotten."""
        return self._make(self._rng)

    def state(self) -> dict[str, Any]:
        """The generator."""
        return {"random": seeds.state_of(self._rng)}

    def restore(self, saved: dict[str, Any]) -> None:
        """See `ViewSource`."""
        seeds.restore(self._rng, saved["random"])
