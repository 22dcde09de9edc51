//! A perceptual hash of parts of a picture: which of its low frequencies are positive.

use std::f64::consts::PI;

use super::symmetry::Symmetry;
use super::thumb::Level;

/// Cells on a side of the window that is transformed.
const CELLS: usize = 16;

/// Frequencies in each direction: 64 bits.
const FREQUENCIES: usize = 8;

/// Sides of the windows, as parts of the picture's.
const PARTS: [f64; 6] = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5];

/// The signs of the 8 x 8 lowest frequencies of the cosine transform (DCT-II) of a window: bit `8 v + u` is set where `u`
/// periods of half a side across and `v` down are positive. Bit 0, the mean, is never set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hash(u64);

/// A rectangle of a picture, in parts of its sides: from `top`, `height` long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    pub top: f64,
    pub left: f64,
    pub height: f64,
    pub width: f64,
    /// The logarithm of height over width.
    pub aspect: f64,
}

impl Window {
    /// Windows of every size and place at which parts of a picture are looked for. The first is the whole picture.
    pub fn all() -> Vec<Window> {
        let lines: Vec<(f64, f64)> = PARTS.into_iter().flat_map(places).collect();
        let window = |(top, height): (f64, f64), (left, width): (f64, f64)| Window {
            top,
            left,
            height,
            width,
            aspect: (height / width).ln(),
        };
        lines.iter().flat_map(|&rows| lines.iter().map(move |&columns| window(rows, columns))).collect()
    }
}

/// Where windows of this side begin: in steps of at most 0.15 of it.
fn places(part: f64) -> impl Iterator<Item = (f64, f64)> {
    let steps = ((1.0 - part) / (0.15 * part)).ceil() as usize;
    (0..=steps).map(move |step| ((1.0 - part) * step as f64 / steps.max(1) as f64, part))
}

impl Hash {
    /// Bits that differ, 0 to 63.
    pub fn distance(self, other: Hash) -> u32 {
        (self.0 ^ other.0).count_ones()
    }

    /// The hash of the turned picture. A flip changes the sign of the odd frequencies of its direction.
    pub fn turned(self, symmetry: Symmetry) -> Hash {
        const ODD_COLUMNS: u64 = 0xaaaa_aaaa_aaaa_aaaa;
        const ODD_ROWS: u64 = 0xff00_ff00_ff00_ff00;
        let flip = |flips, odd| if flips { odd } else { 0 };
        let flipped = self.0 ^ flip(symmetry.flips_columns(), ODD_COLUMNS) ^ flip(symmetry.flips_rows(), ODD_ROWS);
        Hash(if symmetry.transposes() { transposed(flipped) } else { flipped } & !1)
    }
}

fn transposed(bits: u64) -> u64 {
    (0..64).filter(|bit| bits >> bit & 1 == 1).map(|bit| 1 << (bit % 8 * 8 + bit / 8)).sum()
}

/// Hashes the windows of one picture.
pub(super) struct Hasher {
    side: usize,
    /// `(side + 1)` x `(side + 1)`: the sum of all values above and to the left.
    sums: Vec<f64>,
}

impl Hasher {
    pub fn new(level: &Level) -> Self {
        let side = level.side;
        let mut sums = vec![0.0; (side + 1) * (side + 1)];
        for (y, row) in level.values.chunks_exact(side).enumerate() {
            let mut sum = 0.0;
            for (x, &value) in row.iter().enumerate() {
                sum += f64::from(value);
                sums[(y + 1) * (side + 1) + x + 1] = sums[y * (side + 1) + x + 1] + sum;
            }
        }
        Self { side, sums }
    }

    pub fn hash(&self, window: &Window) -> Hash {
        let edges = |start: f64, length: f64| -> Vec<usize> {
            let at = |i: usize| ((start + length * i as f64 / CELLS as f64) * self.side as f64).round() as usize;
            (0..=CELLS).map(at).collect()
        };
        let (rows, columns) = (edges(window.top, window.height), edges(window.left, window.width));
        let cells: Vec<f64> = rows.windows(2).flat_map(|y| columns.windows(2).map(|x| self.mean(y, x))).collect();
        Hash(signs(&cells))
    }

    fn mean(&self, rows: &[usize], columns: &[usize]) -> f64 {
        let at = |y: usize, x: usize| self.sums[y * (self.side + 1) + x];
        let [top, bottom, left, right] = [rows[0], rows[1], columns[0], columns[1]];
        let sum = at(bottom, right) - at(top, right) - at(bottom, left) + at(top, left);
        sum / ((bottom - top) * (right - left)).max(1) as f64
    }
}

/// The bits of [`Hash`] for `CELLS` x `CELLS` values.
fn signs(cells: &[f64]) -> u64 {
    let wave = |frequency: usize, i: usize| (PI * frequency as f64 * (2 * i + 1) as f64 / (2 * CELLS) as f64).cos();
    let waves: Vec<f64> = (0..FREQUENCIES * CELLS).map(|i| wave(i / CELLS, i % CELLS)).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let of_rows: Vec<[f64; FREQUENCIES]> =
        cells.chunks_exact(CELLS).map(|row| std::array::from_fn(|u| dot(row, &waves[u * CELLS..][..CELLS]))).collect();
    let positive = |bit: usize| {
        let column: Vec<f64> = of_rows.iter().map(|row| row[bit % FREQUENCIES]).collect();
        dot(&column, &waves[bit / FREQUENCIES * CELLS..][..CELLS]) > 0.0
    };
    (1..64).filter(|&bit| positive(bit)).map(|bit| 1 << bit).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(value: impl Fn(usize, usize) -> f32) -> Level {
        Level { side: 32, values: (0..32 * 32).map(|i| value(i / 32, i % 32)).collect() }
    }

    fn whole(level: &Level) -> Hash {
        Hasher::new(level).hash(&Window::all()[0])
    }

    #[test]
    fn bits_are_the_signs_of_cosines() {
        // A cosine of u half periods across and v down has the frequency (u, v) alone, with its sign; the others are 0 but for
        // rounding errors, so only that bit is looked at.
        let wave = |frequency: usize, i: usize| (PI * frequency as f64 * (i as f64 + 0.5) / 32.0).cos();
        for (u, v) in [(1, 0), (0, 1), (3, 2), (7, 7)] {
            let at = |sign: f64| whole(&level(|y, x| (128.0 + sign * 90.0 * wave(u, x) * wave(v, y)) as f32)).0;
            let bit = 8 * v + u;
            assert_eq!((at(1.0) >> bit & 1, at(-1.0) >> bit & 1), (1, 0), "{u} {v}");
        }
    }

    #[test]
    fn a_turned_hash_is_that_of_the_turned_picture() {
        let value = |y: usize, x: usize| ((y * y * 7 + x * 31 + x * y * 3) % 97) as f32;
        let upright = whole(&level(value));
        for symmetry in Symmetry::ALL {
            let turned = whole(&level(|y, x| {
                let (y, x) = symmetry.source(32, y, x);
                value(y, x)
            }));
            assert_eq!(upright.turned(symmetry), turned, "{symmetry:?}");
        }
    }

    #[test]
    fn a_window_is_hashed_like_a_picture_of_its_own() {
        // The window begins at row 8 and column 16 and is 16 x 16: every cell one value.
        let value = |y: usize, x: usize| ((y * 13 + x * x * 5) % 101) as f32;
        let window = Window { top: 0.25, left: 0.5, height: 0.5, width: 0.5, aspect: 0.0 };
        let part = Hasher::new(&level(value)).hash(&window);
        assert_eq!(part, whole(&level(|y, x| value(8 + y / 2, 16 + x / 2))));
        assert_eq!(part.distance(part), 0);
        assert_eq!(Hash(0b1010).distance(Hash(0b0110)), 2);
    }

    #[test]
    fn windows_cover_the_picture_and_stay_inside() {
        let windows = Window::all();
        assert_eq!(windows[0], Window { top: 0.0, left: 0.0, height: 1.0, width: 1.0, aspect: 0.0 });
        let inside = |start: f64, length: f64| start >= 0.0 && start + length <= 1.0 + 1e-12;
        assert!(windows.iter().all(|window| inside(window.top, window.height) && inside(window.left, window.width)));
        assert!(windows.iter().any(|window| window.height == 0.5 && (window.top - 0.5).abs() < 1e-12));
    }
}
