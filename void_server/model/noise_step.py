"""One step of warped noise: where a flow takes the cells, who shares a cell's noise, who meets in one.

Channels are last, so that a cell's noise is one line of the cache. Most cells are reached by one particle whose noise
is divided with nobody: they are one gather. Everything else is done on lists of the few cells concerned.
"""

from dataclasses import dataclass
from typing import Self

import torch

# So many cells are traced at a time that what is computed on the way stays in the cache.
_BAND_CELLS = 1 << 18
_PIECE_ROWS = 1 << 14


@dataclass(frozen=True)
class Buffers:
    """What a step of N cells writes to; kept from step to step, because memory that is new to a process is slow."""

    rows: torch.Tensor  # [N, C]
    home: torch.Tensor  # int32 [N]: 0 ... N-1, which no step changes
    landing: torch.Tensor  # int32 [N]
    arrival: torch.Tensor  # int32 [N]
    table: torch.Tensor  # int32 [N]
    drawn: torch.Tensor  # [K, C], as long as the most cells that a step so far has split
    merged: torch.Tensor  # [K, C], the same for merging

    @classmethod
    def like(cls, rows: torch.Tensor) -> Self:
        """For states like `rows`."""
        home = torch.arange(len(rows), dtype=torch.int32, device=rows.device)
        landing, arrival, table = (torch.empty_like(home) for _ in range(3))
        drawn, merged = rows.new_empty(0, rows.shape[1]), rows.new_empty(0, rows.shape[1])
        return cls(torch.empty_like(rows), home, landing, arrival, table, drawn, merged)


@dataclass(frozen=True)
class _Trace:
    """Where a flow takes N cells."""

    landing: torch.Tensor  # int32 [N]: the cell that each particle lands on; a dead one starts anew at home
    arrival: torch.Tensor  # int32 [N]: one of the particles that land on each cell; where none does, the cell itself
    dead: torch.Tensor  # int64 [D]: particles that left the frame
    losers: torch.Tensor  # int64 [M]: particles that landed but are not their cell's `arrival`
    waiting: torch.Tensor  # int64 [M]: cells on which no particle landed


@dataclass(frozen=True)
class _Pulls:
    """Copies that the cells without a particle pull; those of one source and its particle are a group."""

    cells: torch.Tensor  # int64 [P]: who pulls
    group: torch.Tensor  # int64 [P]: whose group each is in, 0 ... G-1
    first: torch.Tensor  # int64 [G]: one pull of each group
    source: torch.Tensor  # int64 [G]: the cell that each group descends from
    living: torch.Tensor  # int64 [L]: the groups whose particle stayed in the frame
    share: torch.Tensor  # [G]: 1 / members of the group
    outside: torch.Tensor  # int64 [O]: cells that would pull from outside the frame


@dataclass(frozen=True)
class _Changed:
    """Particles, then copies, whose noise is not simply that of their source."""

    particles: torch.Tensor  # int64 [Q]: the source cells of the first Q
    cells: torch.Tensor  # int64 [K]: where each of all K ends
    noise: torch.Tensor  # [K, C]
    weight: torch.Tensor  # [K]


def step_rows(
    rows: torch.Tensor,
    weight: torch.Tensor,
    flow: torch.Tensor,
    fresh: torch.Tensor | None = None,
    generator: torch.Generator | None = None,
    buffers: Buffers | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`warp_step` with channels last, on the device of `rows`.

    rows [N, C], weight [N], flow [2, H, W] with N = H * W, fresh [2 * N, C]. Returns the new rows and weight, and
    int32 [N], the cell that each cell's noise came from by the flow, itself where no particle landed. Rows and this
    last are those of `buffers`, where given. Needs three rows for each cell that is split or merged besides.
    """
    buffers = buffers or Buffers.like(rows)
    trace = _trace(flow, buffers)
    pulls = _pulls(trace, flow, buffers.table)
    changed = _split(trace, pulls, rows, weight, fresh, generator, buffers.drawn)

    moved = torch.index_select(rows, 0, trace.arrival, out=buffers.rows)
    masses = weight.index_select(0, trace.arrival)
    # Of several particles that land on one cell, any may be written: their cells are merged next.
    moved.index_copy_(0, changed.cells, changed.noise)
    masses.index_copy_(0, changed.cells, changed.weight)
    _merge(trace, changed, rows, weight, buffers, moved, masses)
    return moved, _normalised(masses, flow.shape[1]), trace.arrival


def _trace(flow: torch.Tensor, buffers: Buffers) -> _Trace:
    """Follow a flow [2, H, W]; coordinates are rounded half to even."""
    height, width = flow.shape[1:]
    rows = max(1, _BAND_CELLS // width)
    edges = torch.tensor([width, height], device=flow.device)[:, None, None]
    home = buffers.home
    buffers.arrival.copy_(home)
    dead, losers, waiting = [], [], []
    for top in range(0, height, rows):
        motion = flow[:, top : top + rows]
        cells = slice(top * width, (top + motion.shape[1]) * width)
        place = grid(motion.shape[1], width, flow, top)
        target = motion.round().add_(place)
        # The two roundings differ where a coordinate ends in .5; a particle stays if both do.
        other = place.add_(motion).round_()
        stays = (torch.minimum(target, other) >= 0) & (torch.maximum(target, other) < edges)
        stays = (stays[0] & stays[1]).view(-1)
        x, y = target.int().view(2, -1)
        landing = torch.where(stays, torch.add(x, y, alpha=width), home[cells])
        buffers.landing[cells] = landing
        buffers.arrival.scatter_(0, landing.long(), home[cells])
        dead.append(torch.nonzero(~stays)[:, 0] + cells.start)
    for start in range(0, len(home), _BAND_CELLS):
        cells = slice(start, start + _BAND_CELLS)
        landing, own = buffers.landing[cells], home[cells]
        losers.append(torch.nonzero(buffers.arrival.index_select(0, landing) != own)[:, 0] + start)
        waiting.append(torch.nonzero((buffers.arrival[cells] == own) & (landing != own))[:, 0] + start)
    return _Trace(buffers.landing, buffers.arrival, torch.cat(dead), torch.cat(losers), torch.cat(waiting))


def grid(height: int, width: int, like: torch.Tensor, top: int = 0) -> torch.Tensor:
    """(x, y) of each cell, [2, height, width], the first row being `top`."""
    column = torch.arange(width, dtype=like.dtype, device=like.device)
    row = torch.arange(top, top + height, dtype=like.dtype, device=like.device)
    return torch.stack([column.expand(height, width), row[:, None].expand(height, width)])


def _pulls(trace: _Trace, flow: torch.Tensor, table: torch.Tensor) -> _Pulls:
    """Where the cells that no particle reached pull from, and how many share each source."""
    height, width = flow.shape[1:]
    dx, dy = flow.reshape(2, -1).index_select(1, trace.waiting)
    x, y = (trace.waiting % width - dx).round_(), (trace.waiting // width - dy).round_()
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    drawn_from = (y.long() * width + x.long())[inside]
    first, group = _numbered(drawn_from, table)
    source = drawn_from.index_select(0, first)
    # A dead particle that shares its home with none is not told from one that stayed by `landing`.
    alive = table.fill_(1).index_fill_(0, trace.dead, 0).index_select(0, source)
    size = torch.bincount(group, minlength=len(source)) + alive
    living = torch.nonzero(alive)[:, 0]
    return _Pulls(trace.waiting[inside], group, first, source, living, 1 / size.to(flow.dtype), trace.waiting[~inside])


def _numbered(ids: torch.Tensor, table: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """ids int64 [M]: the place of one member of each of the G different ids, and int64 [M], which of them, 0 ... G-1.

    table: int32, longer than any id, which is written over. As torch.unique with return_inverse, but without sorting,
    which takes many times as long.
    """
    places = torch.arange(len(ids), dtype=torch.int32, device=ids.device)
    chosen = table.scatter_(0, ids, places).index_select(0, ids)
    first = chosen == places
    return torch.nonzero(first)[:, 0], (first.cumsum(0) - 1).index_select(0, chosen)


def _sums(values: torch.Tensor, first: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    """Sums of values [M, ...] over the groups that `_numbered` found, [G, ...]."""
    total = values.index_select(0, first)
    rest = torch.ones(len(values), dtype=torch.bool, device=values.device).index_fill_(0, first, False)
    rest = torch.nonzero(rest)[:, 0]
    added = values.index_select(0, rest)
    index = group.index_select(0, rest).view(-1, *[1] * (values.ndim - 1)).expand_as(added)
    return total.scatter_add_(0, index, added)


def _split(
    trace: _Trace,
    pulls: _Pulls,
    rows: torch.Tensor,
    weight: torch.Tensor,
    fresh: torch.Tensor | None,
    generator: torch.Generator | None,
    drawn: torch.Tensor,
) -> _Changed:
    """Divide the noise of every source that is pulled from, and make new noise where none came from anywhere."""
    cells = len(rows)
    sources = pulls.source[pulls.living]
    particles = torch.cat([sources, trace.dead])
    slots = torch.cat([particles, cells + pulls.cells, cells + pulls.outside])
    counts = [len(sources), len(trace.dead), len(pulls.cells), len(pulls.outside)]
    idle = cells - len(trace.waiting)
    noise, idle_sum = _draw(slots, trace.waiting, rows, fresh, generator, drawn)
    kept, reborn, pulled, new = noise.split(counts)

    share = pulls.share.to(rows.dtype)
    means = _sums(pulled, pulls.first, pulls.group)
    means[pulls.living] += kept
    means *= share[:, None]
    root = share.sqrt()[:, None]
    for members, groups in ((kept, pulls.living), (pulled, pulls.group)):
        # In pieces that stay in the cache.
        for some, of in zip(members.split(_PIECE_ROWS), groups.split(_PIECE_ROWS), strict=True):
            inherited = rows.index_select(0, pulls.source.index_select(0, of))
            some.sub_(means.index_select(0, of)).addcmul_(inherited, root.index_select(0, of))

    # All fresh noise is one group, in which the slots that were not used count.
    size = idle + len(reborn) + len(new)
    mean = (reborn.sum(0) + new.sum(0) + idle_sum) / size
    reborn -= mean
    new -= mean

    ended = torch.cat([trace.landing.index_select(0, particles).long(), pulls.cells, pulls.outside])
    mass = weight.index_select(0, pulls.source) * share.to(weight.dtype)
    fresh_mass = weight.new_full((1,), 1 / size)
    pulled_mass = mass.index_select(0, pulls.group)
    masses = torch.cat([mass[pulls.living], fresh_mass.expand(counts[1]), pulled_mass, fresh_mass.expand(counts[3])])
    return _Changed(particles, ended, noise, masses)


def _draw(
    slots: torch.Tensor,
    waiting: torch.Tensor,
    rows: torch.Tensor,
    fresh: torch.Tensor | None,
    generator: torch.Generator | None,
    drawn: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """N(0, 1) for each of these slots, [K, C], and the sum over the slots of pulls that are not used, [C].

    Drawn where the generator is, so that a seed gives the same numbers on any device; kept in `drawn`.
    """
    cells, channels = rows.shape
    if fresh is not None:
        return fresh[slots], fresh[cells:].index_fill(0, waiting, 0).sum(0)
    noise = drawn.resize_(len(slots) + 1, channels)
    if generator is None or generator.device == rows.device:
        noise.normal_(generator=generator)
    else:
        noise.copy_(torch.randn(noise.shape, generator=generator, dtype=rows.dtype, device=generator.device))
    # The sum of n normals is a normal of deviation sqrt(n).
    return noise[1:], noise[0] * (cells - len(waiting)) ** 0.5


def _merge(
    trace: _Trace,
    changed: _Changed,
    rows: torch.Tensor,
    weight: torch.Tensor,
    buffers: Buffers,
    moved: torch.Tensor,
    masses: torch.Tensor,
) -> None:
    """Where particles meet, `moved` becomes their sum by weight, back at unit variance, and `masses` their sum."""
    if not len(trace.losers):
        return
    table = buffers.table
    where = trace.landing.index_select(0, trace.losers).long()
    first, group = _numbered(where, table)
    crowded = where.index_select(0, first)
    table.fill_(-1)[changed.particles] = torch.arange(len(changed.particles), dtype=torch.int32, device=rows.device)

    def arriving(particles: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        values = buffers.merged.resize_(len(particles), rows.shape[1])
        torch.index_select(rows, 0, particles, out=values)
        own = weight.index_select(0, particles)
        entry = table.index_select(0, particles)
        listed = torch.nonzero(entry >= 0)[:, 0]
        entry = entry.index_select(0, listed)
        values.index_copy_(0, listed, changed.noise.index_select(0, entry))
        own.index_copy_(0, listed, changed.weight.index_select(0, entry))
        return values, own

    values, own = arriving(trace.losers)
    total, square = _sums(own, first, group), _sums(own**2, first, group)
    sums = _sums(values.mul_(own[:, None]), first, group)
    values, own = arriving(trace.arrival.index_select(0, crowded))
    total += own
    square += own**2
    sums.addcmul_(values, own[:, None])
    moved.index_copy_(0, crowded, sums.div_(square.sqrt_()[:, None]))
    masses.index_copy_(0, crowded, total)


def _normalised(weight: torch.Tensor, height: int) -> torch.Tensor:
    """Weights [N] at mean one, in place; those that a long chain would drive apart are held together a little."""
    # Row by row in float64: summed as one, the last bit would depend on the number of threads.
    mean = weight.view(height, -1).sum(1, dtype=torch.float64).sum() / len(weight)
    # Not pow_, which in float32 rounds the last few numbers of each thread's part otherwise than the rest.
    return weight.div_(mean).add_(1e-5).log_().mul_(0.9999).exp_()
