//! The sizes in EXIF data (Exif 2.32, in the form of TIFF 6.0), corrected in place: nothing moves, so that what points into
//! the data (makers' notes above all) goes on pointing at the same.

use std::ops::Range;

/// Tags of the width and of the height: of the picture (TIFF), and of the pixels (Exif).
const WIDTH: [u16; 2] = [0x0100, 0xa002];
const HEIGHT: [u16; 2] = [0x0101, 0xa003];
/// The tag whose value is where the directory of Exif begins.
const EXIF: u16 = 0x8769;
const SHORT: u16 = 3;
const LONG: u16 = 4;
/// Bytes of a directory's entry: tag (2), type (2), count (4), value (4).
const ENTRY: usize = 12;

/// Sets the sizes in `exif`, from its TIFF header on, to `(height, width)`, and takes the thumbnail out of the list of
/// directories: it may lie on its side. What cannot be read is left as it is.
pub(super) fn set_size(exif: &mut [u8], (height, width): (u32, u32)) {
    let Some(mut data) = Data::of(exif) else { return };
    let Some(first) = data.u32(4).map(|offset| offset as usize) else { return };
    let inner = data.set_in(first, height, width);
    if let Some(next) = data.entries(first).map(|entries| entries.end) {
        let _ = data.put(next, 0, 4);
    }
    if let Some(inner) = inner {
        data.set_in(inner, height, width);
    }
}

struct Data<'a> {
    bytes: &'a mut [u8],
    big_endian: bool,
}

impl<'a> Data<'a> {
    fn of(bytes: &'a mut [u8]) -> Option<Self> {
        let big_endian = match bytes.get(..4)? {
            b"II\x2a\0" => false,
            b"MM\0\x2a" => true,
            _ => return None,
        };
        Some(Self { bytes, big_endian })
    }

    /// Sets the sizes of the directory at `offset`; where the directory of Exif begins, if this one says so.
    fn set_in(&mut self, offset: usize, height: u32, width: u32) -> Option<usize> {
        let mut inner = None;
        for entry in self.entries(offset)?.step_by(ENTRY) {
            match self.u16(entry)? {
                tag if WIDTH.contains(&tag) => self.set(entry, width)?,
                tag if HEIGHT.contains(&tag) => self.set(entry, height)?,
                EXIF => inner = self.u32(entry + 8).map(|offset| offset as usize),
                _ => {}
            }
        }
        inner
    }

    /// Makes a short or long number of an entry `value`, as a long one where it is too large for a short one.
    fn set(&mut self, entry: usize, value: u32) -> Option<()> {
        if ![SHORT, LONG].contains(&self.u16(entry + 2)?) || self.u32(entry + 4)? != 1 {
            return Some(());
        }
        self.put(entry + 2, u32::from(LONG), 2)?;
        self.put(entry + 8, value, 4)
    }

    /// Where the entries of the directory at `offset` are.
    fn entries(&self, offset: usize) -> Option<Range<usize>> {
        let start = offset.checked_add(2)?;
        let end = start + ENTRY * usize::from(self.u16(offset)?);
        (end <= self.bytes.len()).then_some(start..end)
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// The lowest `count` bytes of `value`, 2 or 4.
    fn put(&mut self, at: usize, value: u32, count: usize) -> Option<()> {
        let bytes = self.bytes.get_mut(at..at.checked_add(count)?)?;
        match self.big_endian {
            true => bytes.copy_from_slice(&value.to_be_bytes()[4 - count..]),
            false => bytes.copy_from_slice(&value.to_le_bytes()[..count]),
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory at 8 with width (short), the place of the one of Exif (38), and a next directory; there, height (long)
    /// and a text. The numbers in one byte order.
    fn exif(u16: fn(u16) -> [u8; 2], u32: fn(u32) -> [u8; 4], magic: &[u8; 2], sizes: [u32; 2]) -> Vec<u8> {
        let long = |tag, value| [u16(tag), u16(LONG)].concat().into_iter().chain([u32(1), u32(value)].concat());
        let width = match sizes[1] {
            short @ 0..=99 => [[u16(0x0100), u16(SHORT)].concat(), u32(1).into(), u16(short as u16).into(), vec![0, 0]],
            width => [[u16(0x0100), u16(LONG)].concat(), u32(1).into(), u32(width).into(), vec![]],
        };
        let next = if sizes[1] < 100 { 8 } else { 0 };
        let text = [u16(0x9000).to_vec(), u16(7).into(), u32(4).into(), b"0232".to_vec()].concat();
        let parts = [magic.to_vec(), u16(42).into(), u32(8).into(), u16(2).into(), width.concat()];
        let parts = parts.concat().into_iter().chain(long(EXIF, 38)).chain(u32(next)).chain(u16(2));
        parts.chain(text).chain(long(0xa003, sizes[0])).chain([0; 4]).collect()
    }

    #[test]
    fn sizes_are_corrected_in_both_byte_orders_and_the_thumbnail_is_taken_out() {
        for (before, after) in [
            (u16::to_le_bytes as fn(u16) -> _, u32::to_le_bytes as fn(u32) -> _, b"II"),
            (u16::to_be_bytes, u32::to_be_bytes, b"MM"),
        ]
        .map(|(u16, u32, magic)| (exif(u16, u32, magic, [30, 40]), exif(u16, u32, magic, [70_000, 80_000])))
        {
            let mut found = before;
            set_size(&mut found, (70_000, 80_000));
            assert_eq!(found, after);
        }
    }

    #[test]
    fn what_is_cut_off_or_points_outside_is_left_without_a_panic() {
        let whole = exif(u16::to_le_bytes, u32::to_le_bytes, b"II", [30, 40]);
        for length in 0..whole.len() {
            set_size(&mut whole[..length].to_vec(), (1, 1));
        }
        for at in 4..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] = 0xff;
            set_size(&mut damaged, (1, 1));
            assert_eq!(damaged.len(), whole.len());
        }
    }
}
