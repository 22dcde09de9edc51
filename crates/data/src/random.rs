//! Random numbers as a function of what they are for, so that neither threads nor a resumed run can change them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What a draw is for. Two purposes never share numbers; the value of a purpose never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// The picture, position and symmetry of a training patch.
    Patch = 0,
    /// The degradation that makes an LR picture.
    Degradation = 1,
    /// The colours of a training patch.
    Jitter = 2,
    /// The noise of an LR training patch.
    Noise = 3,
    /// The pictures of a bootstrap sample.
    Bootstrap = 4,
    /// The pictures between HR and SR at which a gradient penalty is taken.
    Interpolation = 5,
}

/// The random numbers that belong to one `(seed, purpose, step, index)`, the same on every machine.
///
/// The four numbers, 64 bits each in little-endian order, are the 256-bit key of a ChaCha stream with 8 rounds.
#[derive(Debug, Clone)]
pub struct Draws(ChaCha8Rng);

impl Draws {
    /// The stream's beginning: equal arguments give equal draws.
    pub fn new(seed: u64, purpose: Purpose, step: u64, index: u64) -> Self {
        let mut key = [0; 32];
        for (bytes, number) in key.chunks_exact_mut(8).zip([seed, purpose as u64, step, index]) {
            bytes.copy_from_slice(&number.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// A whole number in `0..limit`, each equally likely; `limit` is at least 1.
    ///
    /// The upper half of a 32 x 32-bit product, with the few draws rejected that would favour some numbers (Lemire,
    /// "Fast random integer generation in an interval", 2019).
    ///
    /// # Panics
    /// If `limit` is 0.
    pub fn below(&mut self, limit: u32) -> u32 {
        let uneven = limit.wrapping_neg() % limit; // 2^32 mod limit
        loop {
            let product = u64::from(self.0.next_u32()) * u64::from(limit);
            if product as u32 >= uneven {
                return (product >> 32) as u32;
            }
        }
    }

    /// A number in [0, 1), a multiple of 2^-53, each equally likely.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number between `low` and `high`, uniformly distributed.
    pub fn between(&mut self, [low, high]: [f64; 2]) -> f64 {
        low + (high - low) * self.unit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(seed: u64, step: u64, index: u64) -> [u32; 4] {
        let mut draws = Draws::new(seed, Purpose::Patch, step, index);
        [(); 4].map(|()| draws.below(u32::MAX))
    }

    #[test]
    fn each_argument_changes_the_draws() {
        assert_eq!(first(1, 2, 3), first(1, 2, 3));
        for other in [first(0, 2, 3), first(1, 0, 3), first(1, 2, 0), first(2, 1, 3), first(1, 3, 2)] {
            assert_ne!(first(1, 2, 3), other);
        }
    }

    #[test]
    fn the_draws_of_an_all_zero_key_are_those_of_the_published_test_vector() {
        // ChaCha8, 256-bit key and nonce all zero: the keystream begins 3e00ef2f 895f40d6 7f5bb8e8 1f09a5a1
        // (Strombergson, draft-strombergson-chacha-test-vectors, TC1), read as little-endian words. The limit 2^31
        // keeps their upper 31 bits.
        let mut draws = Draws::new(0, Purpose::Patch, 0, 0);
        let words: [u32; 4] = [0x2fef003e, 0xd6405f89, 0xe8b85b7f, 0xa1a5091f];
        assert_eq!([(); 4].map(|()| draws.below(1 << 31)), words.map(|word| word >> 1));
    }

    #[test]
    fn a_unit_draw_is_the_upper_53_bits_of_two_words() {
        // The second word of the vector above is the upper half: 0xd6405f892fef003e / 2^64 = 0.836919...
        let draw = Draws::new(0, Purpose::Patch, 0, 0).unit();
        assert_eq!(draw, (0xd6405f892fef003e_u64 >> 11) as f64 * 2f64.powi(-53));
        assert_eq!((draw * 256.0) as u64, 0xd6);
        assert_eq!(Draws::new(0, Purpose::Patch, 0, 0).between([-1.0, 3.0]), 4.0 * draw - 1.0);
    }

    #[test]
    fn every_number_below_the_limit_is_drawn_about_equally_often() {
        // 6000 draws of 6 numbers: 1000 each, standard deviation sqrt(6000 * 1/6 * 5/6) = 29; six of them are 174.
        let mut counts = [0i32; 6];
        for index in 0..6000 {
            counts[Draws::new(7, Purpose::Patch, 0, index).below(6) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (count - 1000).abs() < 174), "{counts:?}");
    }
}
