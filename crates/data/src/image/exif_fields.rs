//! EXIF data field by field: a TIFF file has them in directories of its own, where other formats hold them as one block.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, Write};
use std::path::Path;

use exif::experimental::Writer;
use exif::{Context, Exif, Field, In, Reader, Value};
use tiff::encoder::{DirectoryEncoder, TiffEncoder, TiffKind};
use tiff::tags::{Tag, Type};
use tiff::{Directory, TiffResult};

/// Tags of a picture's own directory that say how large and which way up it is shown.
const SHOWN: [u16; 4] = [274, 282, 283, 296];
/// Those that tell of the photograph; all others tell where the file's pixels are.
const TOLD: [u16; 7] = [270, 271, 272, 305, 306, 315, 33432];

/// What EXIF data say of a photograph (Exif 2.32, section 4.6). A maker's note is among them as it is: what in it points
/// to its old file points nowhere.
pub(super) struct Fields(Vec<Field>);

impl Fields {
    /// Those of a block from its TIFF header on; none where there are none, and of one that cannot be read.
    pub(super) fn of(block: &[u8]) -> Option<Self> {
        let exif = Reader::new().read_raw(block.to_vec()).ok()?;
        Some(Self::kept(&exif)).filter(|Self(fields)| !fields.is_empty())
    }

    fn kept(exif: &Exif) -> Self {
        let is_kept = |field: &&Field| match field.tag.context() {
            Context::Tiff => [&SHOWN[..], &TOLD].iter().any(|tags| tags.contains(&field.tag.number())),
            context => matches!(context, Context::Exif | Context::Gps),
        };
        Self(exif.fields().filter(|field| field.ifd_num == In::PRIMARY).filter(is_kept).cloned().collect())
    }

    fn in_context(&self, context: Context) -> impl Iterator<Item = &Field> {
        self.0.iter().filter(move |field| field.tag.context() == context)
    }

    /// Writes the directories that lie beside a picture's own, which has these entries to point to them.
    pub(super) fn write_beside<K: TiffKind>(
        &self,
        file: &mut TiffEncoder<impl Write + Seek, K>,
    ) -> TiffResult<Vec<(Tag, K::OffsetType)>> {
        let mut places = Vec::new();
        for (context, tag) in [(Context::Exif, Tag::ExifDirectory), (Context::Gps, Tag::GpsDirectory)] {
            if self.in_context(context).next().is_some() {
                let mut directory = file.extra_directory()?;
                self.write(context, &mut directory)?;
                places.push((tag, directory.finish_with_offsets()?.offset));
            }
        }
        Ok(places)
    }

    /// Writes the entries of a directory.
    pub(super) fn write<K: TiffKind>(
        &self,
        context: Context,
        directory: &mut DirectoryEncoder<impl Write + Seek, K>,
    ) -> TiffResult<()> {
        for field in self.in_context(context) {
            if let Some((kind, bytes)) = raw(&field.value) {
                let mut entry = Directory::empty();
                entry.extend([(
                    Tag::from_u16_exhaustive(field.tag.number()),
                    directory.write_entry_bytes(kind, &bytes)?,
                )]);
                directory.extend_from(&entry);
            }
        }
        Ok(())
    }
}

/// The EXIF data of a TIFF file as a block; none of another file, and where nothing is told of a photograph.
pub(super) fn of_tiff(path: &Path) -> Option<Vec<u8>> {
    let mut file = BufReader::new(File::open(path).ok()?);
    let mut magic = [0; 4];
    file.read_exact(&mut magic).ok()?;
    if ![*b"II\x2a\0", *b"MM\0\x2a"].contains(&magic) {
        return None;
    }
    file.rewind().ok()?;
    let Fields(fields) = Fields::kept(&Reader::new().read_from_container(&mut file).ok()?);
    if fields.iter().all(|field| field.tag.context() == Context::Tiff && SHOWN.contains(&field.tag.number())) {
        return None;
    }
    let (mut writer, mut block) = (Writer::new(), Cursor::new(Vec::new()));
    fields.iter().for_each(|field| writer.push_field(field));
    writer.write(&mut block, true).ok()?;
    Some(block.into_inner())
}

/// A value as TIFF has it, in this machine's order of bytes; none of an unknown type.
fn raw(value: &Value) -> Option<(Type, Vec<u8>)> {
    fn all<T: Copy, const N: usize>(numbers: &[T], bytes: fn(T) -> [u8; N]) -> Vec<u8> {
        numbers.iter().flat_map(|number| bytes(*number)).collect()
    }
    Some(match value {
        Value::Byte(bytes) => (Type::BYTE, bytes.clone()),
        Value::Undefined(bytes, _) => (Type::UNDEFINED, bytes.clone()),
        Value::Ascii(texts) => (Type::ASCII, texts.iter().flat_map(|text| [text.as_slice(), &[0]].concat()).collect()),
        Value::Short(numbers) => (Type::SHORT, all(numbers, u16::to_ne_bytes)),
        Value::Long(numbers) => (Type::LONG, all(numbers, u32::to_ne_bytes)),
        Value::SByte(numbers) => (Type::SBYTE, all(numbers, i8::to_ne_bytes)),
        Value::SShort(numbers) => (Type::SSHORT, all(numbers, i16::to_ne_bytes)),
        Value::SLong(numbers) => (Type::SLONG, all(numbers, i32::to_ne_bytes)),
        Value::Float(numbers) => (Type::FLOAT, all(numbers, f32::to_ne_bytes)),
        Value::Double(numbers) => (Type::DOUBLE, all(numbers, f64::to_ne_bytes)),
        Value::Rational(numbers) => {
            let parts: Vec<u32> = numbers.iter().flat_map(|number| [number.num, number.denom]).collect();
            (Type::RATIONAL, all(&parts, u32::to_ne_bytes))
        }
        Value::SRational(numbers) => {
            let parts: Vec<i32> = numbers.iter().flat_map(|number| [number.num, number.denom]).collect();
            (Type::SRATIONAL, all(&parts, i32::to_ne_bytes))
        }
        Value::Unknown(..) => return None,
    })
}
