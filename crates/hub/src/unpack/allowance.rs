//! How much may come out of what was fetched.

/// Pictures hardly shrink in an archive: what grows more than so many times is no archive of pictures ...
const RATIO: u64 = 50;

/// ... beyond this many bytes, which a small archive of blank pictures may well have.
const ALLOWANCE: u64 = 64 << 20;

/// The bytes that nothing may exceed.
const MOST_BYTES: u64 = 1 << 40;

/// How much may come out of files that were fetched: 50 times their bytes and 64 MiB more, and never more than 1 TiB.
pub struct Allowance {
    limit: u64,
    left: u64,
}

impl Allowance {
    /// For files of `size` bytes in all.
    pub fn of(size: u64) -> Self {
        let limit = size.saturating_mul(RATIO).saturating_add(ALLOWANCE).min(MOST_BYTES);
        Allowance { limit, left: limit }
    }

    /// Bytes that may still come.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// An error, in words, where `bytes` more would be too many.
    pub fn check(&self, bytes: u64) -> Result<(), String> {
        let bomb = || format!("more than {} bytes would come out in all: a decompression bomb", self.limit);
        if bytes > self.left { Err(bomb()) } else { Ok(()) }
    }

    /// Counts `bytes` that have come, unless they are too many.
    pub fn take(&mut self, bytes: u64) -> Result<(), String> {
        self.check(bytes)?;
        self.left -= bytes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_times_and_64_mib_may_come_out_and_no_byte_more() {
        let mut allowance = Allowance::of(1000);
        assert_eq!(allowance.left(), 50_000 + 67_108_864);
        allowance.take(50_000).unwrap();
        assert_eq!(allowance.left(), 67_108_864);
        assert!(allowance.take(67_108_865).unwrap_err().contains("67158864 bytes"));
        allowance.take(67_108_864).unwrap();
        assert!(allowance.check(0).is_ok() && allowance.check(1).is_err());
        assert_eq!(Allowance::of(u64::MAX).left(), 1_099_511_627_776);
    }
}
