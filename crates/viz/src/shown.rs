//! The size in which a picture stands in a figure.

use std::fmt::{Display, Formatter};

use abbe_data::image::Rgb8;
use abbe_data::resample::{self, Border};

/// Longest side of a picture in a figure, in pixels; larger pictures are reduced.
const LONGEST: usize = 512;
/// Pictures whose longest side is shorter than this are enlarged by a whole number.
const SHORTEST: usize = 256;

/// How pictures of the size `full` are shown.
pub(crate) struct Shown {
    /// (height, width) in pixels.
    pub full: (usize, usize),
    /// By which small pictures are enlarged.
    pub factor: usize,
    /// (height, width) to which large pictures are reduced.
    pub reduced: Option<(usize, usize)>,
}

impl Shown {
    pub(crate) fn of(full: (usize, usize)) -> Self {
        let longest = full.0.max(full.1).max(1);
        let reduced = |side: usize| (side * LONGEST / longest).max(1);
        Self {
            full,
            factor: SHORTEST.div_ceil(longest),
            reduced: (longest > LONGEST).then(|| (reduced(full.0), reduced(full.1))),
        }
    }

    /// Size on the page.
    pub(crate) fn size(&self) -> (usize, usize) {
        self.reduced.unwrap_or((self.full.0 * self.factor, self.full.1 * self.factor))
    }

    /// `picture`, of which `full` is `ratio` times as high and wide, as it is shown.
    pub(crate) fn picture(&self, picture: &Rgb8, ratio: usize) -> Rgb8 {
        let enlarged = match ratio * self.factor {
            1 => picture.clone(),
            factor => resample::nearest(picture, factor),
        };
        match self.reduced {
            Some((height, width)) => resample::bicubic(&enlarged, height, width, Border::Replicate),
            None => enlarged,
        }
    }
}

impl Display for Shown {
    fn fmt(&self, f: &mut Formatter) -> std::fmt::Result {
        write!(f, "{} × {} (height × width)", self.full.0, self.full.1)?;
        match self.reduced {
            Some((height, width)) => write!(f, ", reduced to {height} × {width}, bicubic"),
            None if self.factor > 1 => write!(f, ", shown {} × enlarged, nearest neighbour", self.factor),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pictures_are_enlarged_and_large_ones_reduced() {
        // 64 needs a factor of 4 to reach 256; 2048 is reduced to 512, and 1024 with it to 256.
        let small = Rgb8::new(64, 48, vec![9; 3 * 64 * 48]).unwrap();
        let shown = Shown::of(small.size());
        assert_eq!(shown.picture(&small, 1), resample::nearest(&small, 4));
        assert_eq!(
            (shown.size(), shown.to_string().as_str()),
            ((256, 192), "64 × 48 (height × width), shown 4 × enlarged, nearest neighbour")
        );
        let large = Rgb8::new(1024, 2048, vec![9; 3 * 1024 * 2048]).unwrap();
        let shown = Shown::of(large.size());
        assert_eq!(shown.picture(&large, 1).size(), (256, 512));
        assert_eq!(shown.to_string(), "1024 × 2048 (height × width), reduced to 256 × 512, bicubic");
        assert_eq!(Shown::of((300, 400)).to_string(), "300 × 400 (height × width)");
    }
}
