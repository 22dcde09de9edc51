//! The options that say how large a picture becomes.

use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};

/// A width, a height, or both, as in `1920x`, `x1080`, `1920x1080`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sides {
    width: Option<usize>,
    height: Option<usize>,
}

impl FromStr for Sides {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let expected = "expected WIDTHxHEIGHT in pixels, of which one may be left out, such as 1920x";
        let (width, height) = text.split_once('x').context(expected)?;
        let side = |text: &str| match text {
            "" => Ok(None),
            digits => digits.parse().map(Some).ok().filter(|side| *side != Some(0)).context(expected),
        };
        let sides = Sides { width: side(width)?, height: side(height)? };
        ensure!(sides.width.or(sides.height).is_some(), expected);
        Ok(sides)
    }
}

/// A factor, more than 0 and at most 16.
pub fn factor(text: &str) -> Result<f64> {
    match text.parse() {
        Ok(factor) if factor > 0.0 && factor <= 16.0 => Ok(factor),
        _ => bail!("expected a number above 0 and up to 16"),
    }
}

/// How large the result of a picture of `lr` (height, width) is: as `sides` say, else as `scale` does.
///
/// # Errors
/// A result with a side of 0 or of more than 2^24 pixels.
pub fn target(lr: (usize, usize), sides: Option<Sides>, scale: f64) -> Result<(usize, usize)> {
    let (height, width) = (lr.0 as f64, lr.1 as f64);
    let wanted = match sides {
        None => (height * scale, width * scale),
        Some(Sides { width: Some(wide), height: Some(high) }) => (high as f64, wide as f64),
        Some(Sides { width: Some(wide), .. }) => (wide as f64 * height / width, wide as f64),
        Some(Sides { height, .. }) => {
            let high = height.unwrap_or(lr.0) as f64;
            (high, high * width / lr.0 as f64)
        }
    };
    let (high, wide) = (wanted.0.round().max(1.0) as usize, wanted.1.round().max(1.0) as usize);
    ensure!(high.max(wide) <= 1 << 24, "a result of {wide}x{high} is too large: a side has at most {} pixels", 1 << 24);
    Ok((high, wide))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_width_and_height() {
        let target = |text: &str| target((30, 40), Some(text.parse().unwrap()), 4.0).unwrap();
        assert_eq!([target("100x"), target("x100"), target("100x10")], [(75, 100), (100, 133), (10, 100)]);
        for wrong in ["", "x", "100", "0x10", "-1x", "1.5x", "10x20x", "ax"] {
            assert!(wrong.parse::<Sides>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_scale_need_not_be_whole() {
        assert_eq!(target((30, 41), None, 1.5).unwrap(), (45, 62)); // 61.5 goes up
        assert_eq!(target((1, 1), None, 0.1).unwrap(), (1, 1));
        assert!(target((1 << 23, 1), None, 4.0).is_err());
        assert!(factor("0").is_err() && factor("17").is_err() && factor("nan").is_err() && factor("3").is_ok());
    }
}
