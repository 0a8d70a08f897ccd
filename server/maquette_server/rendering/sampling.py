"""Where the intervals along a ray lie, and how those of a second pass follow the weights of the first
(mip-NeRF, arXiv:2103.13415, sec. 3.2 and supplement).

R rays; S intervals lie between S + 1 *posts* along t. No gradient goes through posts.
"""

import torch
from torch import Tensor

_EPSILON = 1e-5  # of the released code: the least sum of weights


@torch.no_grad()
def first_posts(
    near: Tensor,
    far: Tensor,
    count: int,
    *,
    disparity: bool = False,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Posts [R, count + 1] of `count` intervals from near [R] to far [R], evenly in t, or in 1 / t.

    generator: jitters the posts; on the device of `near`.
    Raises ValueError for shapes that differ or fewer than one interval.
    """
    if near.dim() != 1 or near.shape != far.shape or count < 1:
        raise ValueError(
            f"posts need near and far [R] and an interval, not {list(near.shape)}, {list(far.shape)}, {count}"
        )
    steps = torch.linspace(0, 1, count + 1, device=near.device, dtype=near.dtype)
    if disparity:
        posts = 1 / torch.lerp(1 / near[:, None], 1 / far[:, None], steps)
    else:
        posts = torch.lerp(near[:, None], far[:, None], steps)
    return posts if generator is None else jittered(posts, generator)


@torch.no_grad()
def jittered(posts: Tensor, generator: torch.Generator) -> Tensor:
    """Each post [R, S + 1] drawn evenly between the middles to its neighbours; order is kept."""
    middles = (posts[:, 1:] + posts[:, :-1]) / 2
    lower = torch.cat([posts[:, :1], middles], 1)
    upper = torch.cat([middles, posts[:, -1:]], 1)
    drawn = torch.rand(posts.shape, generator=generator, device=posts.device, dtype=posts.dtype)
    return torch.lerp(lower, upper, drawn)


@torch.no_grad()
def blurred(weights: Tensor) -> Tensor:
    """An upper envelope of weights [R, S]: the larger of two neighbours, then the mean of two (sec. 3.2)."""
    padded = torch.cat([weights[:, :1], weights, weights[:, -1:]], 1)
    larger = torch.maximum(padded[:, :-1], padded[:, 1:])
    return (larger[:, :-1] + larger[:, 1:]) / 2


@torch.no_grad()
def next_posts(
    posts: Tensor,
    weights: Tensor,
    count: int,
    *,
    padding: float = 0.01,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Posts [R, count + 1] of the next pass, by the blurred weights of the last one plus `padding`.

    posts: [R, S + 1], rising.  weights: [R, S], >= 0.  Others as of `resampled`.
    """
    _check(posts, weights)
    return resampled(posts, blurred(weights) + padding, count + 1, generator=generator)


@torch.no_grad()
def resampled(
    posts: Tensor, weights: Tensor, count: int, *, generator: torch.Generator | None = None
) -> Tensor:
    """`count` places [R, count] drawn from histograms, rising: the inverse of their cumulative sum.

    posts: [R, S + 1], the bins.  weights: [R, S], >= 0; where they sum to less than 1e-5, the rest is spread
    evenly over the bins.  generator: one draw from each of `count` equal parts; None takes them evenly.
    Raises ValueError for other shapes or fewer than one place.
    """
    _check(posts, weights)
    if count < 1:
        raise ValueError(f"at least one place must be drawn, not {count}")
    missing = (_EPSILON - weights.sum(-1, keepdim=True)).clamp_min(0)
    weights = weights + missing / weights.shape[1]
    sums = torch.cumsum(weights, 1)
    inner = (sums[:, :-1] / sums[:, -1:]).clamp_max(1)
    zero = torch.zeros_like(inner[:, :0]).new_zeros(len(posts), 1)
    cumulative = torch.cat([zero, inner, zero + 1], 1)
    last = 1 - torch.finfo(posts.dtype).eps
    if generator is None:
        chosen = torch.linspace(0, last, count, device=posts.device, dtype=posts.dtype)
        chosen = chosen.expand(len(posts), count).contiguous()
    else:
        chosen = torch.rand(len(posts), count, generator=generator, device=posts.device, dtype=posts.dtype)
        chosen = (chosen + torch.arange(count, device=posts.device, dtype=posts.dtype)) / count
        chosen = chosen.clamp_max(last)
    after = torch.searchsorted(cumulative, chosen, right=True).clamp_(1, weights.shape[1])
    low, high = cumulative.gather(1, after - 1), cumulative.gather(1, after)
    share = ((chosen - low) / (high - low).clamp_min(torch.finfo(posts.dtype).tiny)).clamp(0, 1)
    return torch.lerp(posts.gather(1, after - 1), posts.gather(1, after), share)


def bounds(posts: Tensor, inner: Tensor, weights: Tensor) -> Tensor:
    """The most weight that a histogram leaves to intervals: the sum of all bins that each one touches
    (mip-NeRF 360, arXiv:2111.12077, on its proposal network).

    posts: [R, T + 1], of the intervals.  inner: [R, S + 1] and weights: [R, S], the histogram's. Returns
    [R, T]; differentiable in the weights.
    """
    _check(inner, weights)
    if len(posts) != len(inner):
        raise ValueError(f"{len(inner)} histograms cannot bound the intervals of {len(posts)} rays")
    sums = torch.nn.functional.pad(torch.cumsum(weights, 1), (1, 0))
    posts, inner = posts.detach().contiguous(), inner.detach().contiguous()
    first = torch.searchsorted(inner, posts[:, :-1].contiguous(), right=True) - 1
    last = torch.searchsorted(inner, posts[:, 1:].contiguous())
    bins = weights.shape[1]
    return sums.gather(1, last.clamp(0, bins)) - sums.gather(1, first.clamp(0, bins))


def _check(posts: Tensor, weights: Tensor) -> None:
    if weights.dim() != 2 or weights.shape[1] < 1 or posts.shape != (len(weights), weights.shape[1] + 1):
        raise ValueError(
            f"posts must be [R, S + 1] and weights [R, S], not {list(posts.shape)} and {list(weights.shape)}"
        )
