//! What the markers of a JPEG file (ITU-T T.81, annex B) tell before it is decoded.

/// The markers of the first picture in a JPEG file; thumbnails and whatever follows its end are not looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Markers {
    /// How many components its frame has: 1 grey, 3 YCbCr or RGB, 4 CMYK or YCCK.
    pub(super) components: Option<u8>,
    /// Whether the end marker is there. A decoder fills what is missing with grey, without an error.
    pub(super) whole: bool,
}

pub(super) fn markers(file: &[u8]) -> Markers {
    let mut components = None;
    let mut rest = file;
    while let Some((marker, after)) = next_marker(rest) {
        rest = match marker {
            0xd9 => return Markers { components, whole: true },
            0x01 | 0xd8 => after, // without a segment
            _ => {
                if is_frame(marker) {
                    components = after.get(7).copied(); // length (2), precision (1), height (2), width (2)
                }
                let length = after.first_chunk().map_or(usize::MAX, |bytes| usize::from(u16::from_be_bytes(*bytes)));
                after.get(length..).unwrap_or_default()
            }
        };
    }
    Markers { components, whole: false }
}

/// The next marker and what follows it. Coded data and fill bytes are passed over: in coded data, FF is followed by 0 or
/// by a restart marker.
fn next_marker(data: &[u8]) -> Option<(u8, &[u8])> {
    let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7 | 0xff);
    let at = data.windows(2).position(is_marker)?;
    Some((data[at + 1], &data[at + 2..]))
}

fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &[u8] = &[0xff, 0xd8];
    /// A frame of 1 x 1 pixels with 4 components, whose parameters are left out: length 8, 8 bits.
    const FRAME: &[u8] = &[0xff, 0xc0, 0, 8, 8, 0, 1, 0, 1, 4];
    /// A scan with coded data in which there is a stuffed FF and a restart marker.
    const SCAN: &[u8] = &[0xff, 0xda, 0, 3, 0, 7, 0xff, 0, 0xff, 0xd0, 7];
    const END: &[u8] = &[0xff, 0xd9];
    /// A segment of an application that holds a whole picture.
    const THUMBNAIL: &[u8] = &[0xff, 0xe1, 0, 12, 0xff, 0xd8, 0xff, 0xda, 0, 3, 0, 7, 0xff, 0xd9];

    fn of(parts: &[&[u8]]) -> (Option<u8>, bool) {
        let Markers { components, whole } = markers(&parts.concat());
        (components, whole)
    }

    #[test]
    fn the_end_of_the_picture_is_neither_that_of_a_thumbnail_nor_of_what_follows() {
        assert_eq!(of(&[START, THUMBNAIL, FRAME, SCAN, END]), (Some(4), true));
        assert_eq!(of(&[START, THUMBNAIL, FRAME, SCAN]), (Some(4), false));
        assert_eq!(of(&[START, FRAME, SCAN, SCAN, END, &[0xff, 0xda, 1, 2]]), (Some(4), true));
    }

    #[test]
    fn a_file_may_break_off_anywhere() {
        let file = [START, THUMBNAIL, FRAME, SCAN, END].concat();
        for length in 0..file.len() {
            assert!(!markers(&file[..length]).whole, "{length}");
        }
        assert_eq!(of(&[]), (None, false));
    }
}
