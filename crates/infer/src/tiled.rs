//! A picture through a network, one row of tiles after the other.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use tch::{Device, TchError, Tensor};

use crate::Error;
use crate::engine::{Engine, Forward, is_memory, without_trace};
use crate::lane::Lane;
use crate::planes::{Alpha, MATCH_RADIUS, enlarge, match_colors};
use crate::rows::{Bands, Rows};
use crate::seams::Seams;
use crate::tile::{Margin, Tile, even, tiles};

/// The least side of a tile's core.
pub const LEAST_TILE: usize = 16;

/// Values of SR that are given on at a time, about.
const STRIP: usize = 1 << 20;

/// How a picture is cut and run.
#[derive(Debug, Clone, Copy)]
pub struct Tiling {
    /// The longest side of a tile's core, in LR pixels; from [`LEAST_TILE`] on.
    pub side: usize,
    /// LR pixels on each side of it that are seen at most; the result is exact with the network's radius.
    pub overlap: usize,
    /// How many tiles of one size go through the network together.
    pub batch: usize,
    /// What enlarges opacity.
    pub alpha: Alpha,
    /// Whether low frequencies of colours are set to those of the input.
    pub match_colors: bool,
}

/// What is told while a picture is made.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A tile is done.
    Tile {
        /// LR pixels of its core.
        pixels: usize,
    },
    /// Memory ran out, and tiles have this side from here on.
    Smaller {
        /// The side of a core.
        side: usize,
    },
    /// A GPU is given tiles operation by operation, not as a CUDA graph.
    NoGraph {
        /// What libtorch or the comparison with the network said.
        why: String,
    },
    /// A tile's result was not finite, and it was run again in full precision.
    NotFinite,
    /// The picture is done, in tiles that see less than the network does: the largest difference of the results of two
    /// neighbours where they meet, for pixels in 0..=1.
    Seam {
        /// The difference.
        largest: f64,
        /// The largest difference on both sides of the first seam from a tile that has it in its middle, and so sees half a
        /// tile farther there: about the difference from the network's exact result. None without a vertical seam.
        centred: Option<f64>,
    },
}

/// The shape of a batch, `[N, planes, height, width]`, and what enlarges its opacity.
type Key = ([i64; 4], Alpha);

/// A picture enlarged by a network: an iterator over strips `[planes, rows, width]`, from the top, of which the rows of one
/// row of tiles are held, and the LR rows that it sees. Values are not clamped.
///
/// Colours are to be multiplied by the opacity, if there is one ([`crate::premultiplied`]).
pub struct Tiled<'a> {
    engine: &'a Engine<'a>,
    tiling: Tiling,
    /// Height and width of a core.
    sides: [usize; 2],
    /// Height and width of LR.
    size: [usize; 2],
    planes: usize,
    source: Rows<'a>,
    /// The first LR row that is still to be made.
    next: usize,
    /// A finished row of tiles, `[planes, rows, width]`, of which so many rows were given on.
    band: (Vec<f32>, usize),
    /// How many batches are sent before the first of them is waited for: one to a GPU, none to a CPU, which has no copies to wait
    /// for.
    ahead: usize,
    /// What a GPU has for batches of one kind, and those that are on their way, from the first.
    lanes: HashMap<Key, Lane>,
    sent: VecDeque<Key>,
    seams: Option<Seams>,
    /// What [`Event::Seam`] tells of the first seam.
    centred: Option<f64>,
    /// Whether to stop; asked before each batch of tiles.
    stop: &'a dyn Fn() -> bool,
    tell: &'a dyn Fn(Event),
}

impl<'a> Tiled<'a> {
    /// Will enlarge a picture of `size` (height, width) with `planes` planes, whose bands come from `source`. Asks `stop`
    /// before each batch of tiles, and tells what happens.
    pub fn new(
        engine: &'a Engine<'a>,
        tiling: Tiling,
        (size, planes): ((usize, usize), usize),
        source: Bands<'a>,
        stop: &'a dyn Fn() -> bool,
        tell: &'a dyn Fn(Event),
    ) -> Self {
        let size @ [height, width] = [size.0, size.1];
        let longest = height.max(width);
        let seams = (tiling.overlap < engine.radius.min(longest)).then(|| Seams::new(planes, width * engine.scale));
        let source = Rows::new(source, planes, width);
        let mut tiled = Self {
            engine,
            tiling,
            sides: size,
            size,
            planes,
            source,
            next: 0,
            band: (Vec::new(), 0),
            ahead: usize::from(engine.device.is_cuda()),
            lanes: HashMap::new(),
            sent: VecDeque::new(),
            seams,
            centred: None,
            stop,
            tell,
        };
        if tiled.margin().radius < longest {
            tiled.cut(height, tiling.side.min(longest)); // else each tile would see all of the picture
        }
        tiled
    }

    /// Sets the sides of cores to at most `side`, those of rows for a part of the height.
    fn cut(&mut self, height: usize, side: usize) {
        self.sent.clear();
        self.lanes.clear(); // with the memory that they hold
        self.tiling.side = side;
        self.sides = [even(height, side), even(self.size[1], side)];
    }

    /// The margin of a tile.
    fn margin(&self) -> Margin {
        let further = if self.tiling.match_colors { MATCH_RADIUS } else { 0 };
        let radius = self.engine.radius.min(self.tiling.overlap).saturating_add(further);
        Margin { radius, multiple: self.engine.multiple }
    }

    /// Makes the next row of tiles; when memory runs out, from smaller tiles, and smaller ones again.
    fn make_band(&mut self) -> Result<(), Error> {
        let rows = self.next..(self.next + self.sides[0]).min(self.size[0]);
        let band = loop {
            match self.run_tiles(rows.clone()) {
                Err(Error::Tile { source, .. }) if is_memory(&source) && self.tiling.side > LEAST_TILE => {
                    self.cut(rows.len(), (self.tiling.side / 2).max(LEAST_TILE));
                    (self.tell)(Event::Smaller { side: self.tiling.side });
                }
                ended => break ended?,
            }
        };
        self.next = rows.end;
        self.band = (band, 0);
        Ok(())
    }

    /// The SR of some LR rows, `[planes, rows, width]`.
    fn run_tiles(&mut self, rows: Range<usize>) -> Result<Vec<f32>, Error> {
        let width = self.size[1] * self.engine.scale;
        let mut band = vec![0.0; self.planes * rows.len() * self.engine.scale * width];
        let tiles = tiles(rows.clone(), self.size, self.sides, self.margin());
        let seen = |of: fn(&Tile) -> usize| tiles.iter().map(of);
        let (first, end) = (seen(|tile| tile.seen[0].start).min(), seen(|tile| tile.seen[0].end).max());
        self.source.hold(first.unwrap_or(0)..end.unwrap_or(0))?;
        let batches = batches(&tiles, self.tiling.batch);
        for place in 0..batches.len() + self.ahead {
            let error = |batch: &[Tile]| {
                let [height, width] = shape(&batch[0]);
                move |source| Error::Tile { height, width, source: without_trace(source) }
            };
            if let Some(batch) = batches.get(place) {
                if (self.stop)() {
                    return Err(Error::Stopped);
                }
                self.begin(batch).map_err(error(batch))?;
            }
            if let Some(batch) = place.checked_sub(self.ahead).and_then(|place| batches.get(place)) {
                self.end(batch, &rows, &mut band).map_err(error(batch))?;
            }
        }
        if let [tile, other, ..] = tiles.as_slice()
            && self.seams.is_some()
            && self.centred.is_none()
            && tile.core[0] == other.core[0]
        {
            let [height, width] = shape(tile);
            let error = |source| Error::Tile { height, width, source: without_trace(source) };
            self.centred = Some(self.centre(tile, &band, rows.len()).map_err(error)?);
        }
        Ok(band)
    }

    /// How much `band`, which has so many LR rows, differs on both sides of the right edge of its first tile from a tile with
    /// that edge in its middle.
    fn centre(&self, tile: &Tile, band: &[f32], rows: usize) -> Result<f64, TchError> {
        let (scale, seam, half) = (self.engine.scale, tile.core[1].end, self.sides[1] / 2);
        let core = seam - half..(seam + half).min(self.size[1]);
        let columns = self.margin().around(&core, self.sides[1], self.size[1]);
        let [top, left] =
            [tile.core[0].start - tile.seen[0].start, seam - 1 - columns.start].map(|at| (at * scale) as i64);
        let seen = [tile.seen[0].clone(), columns];
        let tiles = [Tile { core: [tile.core[0].clone(), core], seen }];
        let sr = self.run(&tiles, &self.engine.forward)?;
        let sr = self.or_exact(&tiles, sr)?.f_get(0)?;
        let (height, width) = ((tile.core[0].len() * scale) as i64, 2 * scale as i64);
        let part = |xs: &Tensor, top, left| xs.f_narrow(1, top, height)?.f_narrow(2, left, width);
        let whole = Tensor::f_from_slice(band)?;
        let whole = whole.f_view([self.planes as i64, (rows * scale) as i64, (self.size[1] * scale) as i64])?;
        let difference = part(&sr, top, left)?.f_sub(&part(&whole, 0, ((seam - 1) * scale) as i64)?)?;
        difference.f_abs()?.f_max()?.f_double_value(&[])
    }

    /// Sends a batch on its way where that is not to wait for it at once.
    fn begin(&mut self, batch: &[Tile]) -> Result<(), TchError> {
        let (engine, tiling) = (self.engine, self.tiling);
        if self.ahead == 0 {
            return Ok(());
        }
        let (pixels, key @ (shape, alpha)) = self.pixels(batch);
        let alike = if self.lanes.contains_key(&key) { 0 } else { self.alike(batch) };
        let lane = match self.lanes.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Lane::new(&shape, engine.device, engine.kind, alike)?),
        };
        let work = |lr: &Tensor| {
            let sr = make(engine, &engine.forward, Tiling { alpha, ..tiling }, lr)?;
            let is_finite = sr.f_isfinite()?.f_all()?;
            Ok([sr, is_finite])
        };
        lane.begin(&pixels, &work)?;
        lane.notice().into_iter().for_each(|why| (self.tell)(Event::NoGraph { why }));
        self.sent.push_back(key);
        Ok(())
    }

    /// How many batches of this one's shape the rows of tiles have that are not finished.
    fn alike(&self, batch: &[Tile]) -> usize {
        let tops = (self.next..self.size[0]).step_by(self.sides[0]);
        let rows = tops.map(|top| top..(top + self.sides[0]).min(self.size[0]));
        let is_alike = |other: &&[Tile]| other.len() == batch.len() && shape(&other[0]) == shape(&batch[0]);
        let tiles = rows.map(|rows| tiles(rows, self.size, self.sides, self.margin()));
        tiles.map(|tiles| batches(&tiles, self.tiling.batch).into_iter().filter(is_alike).count()).sum()
    }

    /// Puts the SR of a batch where it belongs.
    fn end(&mut self, batch: &[Tile], rows: &Range<usize>, band: &mut [f32]) -> Result<(), TchError> {
        let sr = self.made(batch)?;
        for (index, tile) in batch.iter().enumerate() {
            self.keep(&sr.get(index as i64), tile, rows, band)?;
            (self.tell)(Event::Tile { pixels: tile.core[0].len() * tile.core[1].len() });
        }
        Ok(())
    }

    /// The SR of what the tiles of a batch see, `[N, planes, height, width]`, on the CPU.
    fn made(&mut self, batch: &[Tile]) -> Result<Tensor, TchError> {
        let engine = self.engine;
        let sent = match self.sent.pop_front().and_then(|key| self.lanes.get_mut(&key)) {
            Some(lane) => lane.end()?,
            None => None,
        };
        let made = sent.map_or_else(|| self.run(batch, &engine.forward), Ok)?;
        self.or_exact(batch, made)
    }

    /// What was made of a batch, or what the exact network makes of it where that is not finite.
    fn or_exact(&self, batch: &[Tile], (sr, is_finite): (Tensor, bool)) -> Result<Tensor, TchError> {
        match &self.engine.exact {
            Some(exact) if !is_finite => {
                (self.tell)(Event::NotFinite);
                Ok(self.run(batch, exact)?.0)
            }
            _ => Ok(sr),
        }
    }

    /// The SR of a batch by `forward`, at once, and whether all of it is finite.
    fn run(&self, batch: &[Tile], forward: &Forward) -> Result<(Tensor, bool), TchError> {
        let (pixels, (shape, alpha)) = self.pixels(batch);
        let lr = Tensor::f_from_slice(&pixels)?.f_view(shape.as_slice())?.f_to_device(self.engine.device)?;
        let sr = make(self.engine, forward, Tiling { alpha, ..self.tiling }, &lr)?;
        let is_finite = self.engine.exact.is_none() || bool::try_from(sr.f_isfinite()?.f_all()?)?;
        Ok((sr.f_to_device(Device::Cpu)?, is_finite))
    }

    /// What the tiles of a batch see, and with what others they share a lane.
    fn pixels(&self, batch: &[Tile]) -> (Vec<f32>, Key) {
        let [height, width] = [0, 1].map(|axis| batch[0].seen[axis].len());
        let pixels: Vec<f32> = batch.iter().flat_map(|tile| self.source.crop(&tile.seen)).collect();
        let alpha = self.tiling.alpha.of(&pixels, self.planes, height * width);
        (pixels, ([batch.len(), self.planes, height, width].map(|side| side as i64), alpha))
    }

    /// Puts the core of a tile's SR, `[planes, height, width]`, where it belongs in the band that begins with `rows`.
    fn keep(&mut self, sr: &Tensor, tile: &Tile, rows: &Range<usize>, band: &mut [f32]) -> Result<(), TchError> {
        let scale = self.engine.scale;
        let of = |axis: usize| {
            let (core, seen) = (&tile.core[axis], &tile.seen[axis]);
            ((core.start - seen.start) * scale, core.len() * scale)
        };
        let ([(top, height), (left, width)], stride) = ([of(0), of(1)], self.size[1] * scale);
        let core = sr.f_narrow(1, top as i64, height as i64)?.f_narrow(2, left as i64, width as i64)?;
        let core = Vec::<f32>::try_from(core.f_contiguous()?.f_view([-1])?)?;
        let (first, column) = ((tile.core[0].start - rows.start) * scale, tile.core[1].start * scale);
        for (plane, band) in core.chunks_exact(height * width).zip(band.chunks_exact_mut(rows.len() * scale * stride)) {
            let lines = band.chunks_exact_mut(stride).skip(first);
            lines
                .zip(plane.chunks_exact(width))
                .for_each(|(band, line)| band[column..column + width].copy_from_slice(line));
        }
        match &mut self.seams {
            Some(seams) => seams.see(sr, tile, scale),
            None => Ok(()),
        }
    }

    /// The next rows of the band that is finished.
    fn strip(&mut self) -> Vec<f32> {
        let width = self.size[1] * self.engine.scale;
        let (band, given) = (&self.band.0, self.band.1);
        let area = band.len() / self.planes;
        let end = (given + (STRIP / self.planes / width).max(1) * width).min(area);
        let strip = band.chunks_exact(area).flat_map(|plane| &plane[given..end]).copied().collect();
        self.band.1 = end;
        if end == area {
            self.band = (Vec::new(), 0);
        }
        strip
    }
}

/// Height and width of what a tile sees.
fn shape(tile: &Tile) -> [usize; 2] {
    [tile.seen[0].len(), tile.seen[1].len()]
}

/// Neighbours that see as much, at most so many at once.
fn batches(tiles: &[Tile], most: usize) -> Vec<&[Tile]> {
    let equal = tiles.chunk_by(|a, b| shape(a) == shape(b));
    equal.flat_map(|equal| equal.chunks(most.max(1))).collect()
}

/// SR of a batch by `forward`, where it was computed.
fn make(engine: &Engine, forward: &Forward, tiling: Tiling, lr: &Tensor) -> Result<Tensor, TchError> {
    let sr = enlarge(engine, forward, tiling.alpha, lr)?;
    if tiling.match_colors { match_colors(&sr, lr, engine.scale as i64) } else { Ok(sr) }
}

impl Iterator for Tiled<'_> {
    type Item = Result<Vec<f32>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.band.0.is_empty() {
            if self.next == self.size[0] {
                if let Some(seams) = self.seams.take() {
                    (self.tell)(Event::Seam { largest: seams.largest(), centred: self.centred });
                }
                return None;
            }
            if let Err(error) = self.make_band() {
                self.next = self.size[0];
                self.seams = None;
                return Some(Err(error));
            }
        }
        Some(Ok(self.strip()))
    }
}

#[cfg(test)]
mod tests;
