use std::fmt;

/// The heights and widths that a network takes; each side must fit by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sides {
    /// The smallest, 1 or more.
    pub least: i64,
    /// The largest; [`i64::MAX`] when only memory sets a limit.
    pub most: i64,
    /// What each side is a multiple of, 1 or more.
    pub multiple: i64,
}

impl Sides {
    /// Every side.
    pub const ANY: Sides = Sides::from(1);

    /// Sides of `least` pixels and more.
    pub const fn from(least: i64) -> Self {
        Sides { least, most: i64::MAX, multiple: 1 }
    }

    /// One side alone.
    pub const fn only(side: i64) -> Self {
        Sides { least: side, most: side, multiple: 1 }
    }

    /// Multiples of a number.
    pub const fn multiples_of(multiple: i64) -> Self {
        Sides { least: multiple, most: i64::MAX, multiple }
    }

    /// Whether the network takes a side.
    pub fn contains(&self, side: i64) -> bool {
        (self.least..=self.most).contains(&side) && side % self.multiple == 0
    }
}

impl fmt::Display for Sides {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match *self {
            Sides { least, most, .. } if least == most => write!(f, "sides of {least}"),
            Sides { multiple: 2.., .. } => write!(f, "sides that are multiples of {}", self.multiple),
            Sides { least, .. } => write!(f, "sides of {least} or more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_fit_or_do_not_and_say_which_do() {
        let taken = |sides: Sides| [1, 8, 12, 16].map(|side| sides.contains(side));
        assert_eq!(taken(Sides::ANY), [true; 4]);
        assert_eq!(taken(Sides::from(12)), [false, false, true, true]);
        assert_eq!(taken(Sides::only(8)), [false, true, false, false]);
        assert_eq!(taken(Sides::multiples_of(8)), [false, true, false, true]);
        let texts = [Sides::from(12), Sides::only(8), Sides::multiples_of(8)].map(|sides| sides.to_string());
        assert_eq!(texts, ["sides of 12 or more", "sides of 8", "sides that are multiples of 8"]);
    }
}
