use std::io;
use std::path::PathBuf;

/// What can be wrong with pictures, folders of pictures, and the settings that say how to use them.
///
/// Sizes are `(height, width)` in pixels.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder that the system does not let us read.
    #[error("{path}: cannot be read; check the path and its permissions")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file that is not a whole picture in a known format.
    #[error(
        "{path}: expected a whole picture (png, jpeg, webp, bmp or tiff), found none: {reason}; replace or remove the file"
    )]
    Decode {
        /// The file.
        path: PathBuf,
        /// The decoder's reason, with its causes.
        reason: String,
    },
    /// A JPEG file whose end is missing; decoders fill the rest of such a picture with grey.
    #[error("{path}: the JPEG data breaks off before its end; replace or remove the file")]
    BrokenOff {
        /// The file.
        path: PathBuf,
    },
    /// A picture that would have to be converted, while the settings do not allow it.
    #[error(
        "{path}: expected RGB with 8 bits per channel, found {found}; \
         convert the file, or have it done on reading: `conversion = \"convert\"` in an experiment, \
         `--convert` on the command line"
    )]
    Conversion {
        /// The file.
        path: PathBuf,
        /// Its kind of pixels.
        found: &'static str,
    },
    /// A picture with pixels for which no conversion is defined.
    #[error(
        "{path}: expected grey or RGB with 8 or 16 bits per channel, found {found}; \
         convert the file to RGB with 8 bits per channel"
    )]
    Pixels {
        /// The file.
        path: PathBuf,
        /// Its kind of pixels.
        found: &'static str,
    },
    /// A picture whose pixels would take more memory than is given to one picture.
    #[error(
        "{path}: {size:?} (height, width) takes {bytes} bytes decoded, at most {limit} are read; \
         make the picture smaller or cut it into parts"
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The picture's size, as the header says it.
        size: (usize, usize),
        /// Bytes of its pixels.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A file name whose ending is that of no format that can be written.
    #[error("{path}: expected a file name that ends in png, jpg, jpeg, webp, bmp, tif or tiff; rename the file")]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// A picture that a format cannot hold.
    #[error("a picture of {height}x{width} cannot be encoded as {format}: {reason}; choose another format")]
    Encode {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// The format.
        format: &'static str,
        /// The encoder's reason, with its causes.
        reason: String,
    },
    /// Values whose number is not that of the picture's size.
    #[error(
        "a picture of {height}x{width} needs 3 * {height} * {width} values, and at least 1 pixel; found {found} values"
    )]
    Length {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// Values given.
        found: usize,
    },
    /// Samples whose number is not that of the picture's size.
    #[error(
        "a picture of {height}x{width}, at least 1x1, needs 1 or 3 samples per pixel and, if there is alpha, 1 of alpha; \
         found {color} samples and {alpha} of alpha"
    )]
    PictureLength {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// Samples given.
        color: usize,
        /// Samples of alpha given.
        alpha: usize,
    },
    /// Samples that are not those of pictures of the expected size.
    #[error("expected the samples of whole pictures of {height}x{width}, found {found} per channel")]
    Samples {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// Values given.
        found: usize,
    },
    /// A value that no pixel can hold.
    #[error(
        "value {value} in channel {channel}, row {row}, column {column}: expected finite numbers; \
         a network that gives others has diverged: use an earlier checkpoint"
    )]
    NotFinite {
        /// NaN or an infinity.
        value: f32,
        /// 0 red, 1 green, 2 blue.
        channel: usize,
        /// Row from the top.
        row: usize,
        /// Column from the left.
        column: usize,
    },
    /// A rectangle that is not inside the picture.
    #[error(
        "a crop of {size:?} at row {top}, column {left} does not fit into a picture of {picture:?} (height, width)"
    )]
    Crop {
        /// Its first row.
        top: usize,
        /// Its first column.
        left: usize,
        /// Its size.
        size: (usize, usize),
        /// The picture's size.
        picture: (usize, usize),
    },
    /// A path that is no folder of pictures.
    #[error(
        "{path}: expected a folder with pictures (png, jpg, jpeg, webp, bmp, tif, tiff), found {found}; \
         correct the path or put pictures there"
    )]
    Folder {
        /// The path.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// Two files of one folder that differ only in their extension, so that results could not be told apart.
    #[error("{first} and {second} share one name; rename or remove one of them")]
    SameName {
        /// One file.
        first: PathBuf,
        /// The other file.
        second: PathBuf,
    },
    /// An HR picture without an LR picture.
    #[error(
        "{hr}: no LR picture in {folder}; expected one of {expected} with any picture extension: \
         add it, or remove the HR picture"
    )]
    MissingLr {
        /// The HR file.
        hr: PathBuf,
        /// The LR folder.
        folder: PathBuf,
        /// The names looked for.
        expected: String,
    },
    /// An LR picture that belongs to no HR picture.
    #[error("{lr}: no HR picture in {folder} for this LR picture; add it, or remove the LR picture")]
    ExtraLr {
        /// The LR file.
        lr: PathBuf,
        /// The HR folder.
        folder: PathBuf,
    },
    /// An HR and an LR picture whose sizes are not in the ratio of the scale.
    #[error(
        "{hr} is {hr_size:?} and {lr} is {lr_size:?} (height, width): \
         at scale {scale} the LR picture must be {expected:?}; correct the scale, or make the LR picture again"
    )]
    PairSize {
        /// The HR picture.
        hr: String,
        /// Its size in the file.
        hr_size: (usize, usize),
        /// The LR picture.
        lr: String,
        /// Its size.
        lr_size: (usize, usize),
        /// HR size over LR size.
        scale: usize,
        /// The LR size that fits.
        expected: (usize, usize),
    },
    /// A picture too small for what is to be cut from it.
    #[error(
        "{picture}: {size:?} (height, width) is smaller than the {what}, {side}x{side}; \
         remove the picture or choose a smaller {what}"
    )]
    TooSmall {
        /// The picture's file or name.
        picture: String,
        /// Its size.
        size: (usize, usize),
        /// `patch` or `scale`: the setting to change.
        what: &'static str,
        /// The side that it must have at least.
        side: usize,
    },
    /// A setting outside its range.
    #[error("{key}: expected {expected}, found {found}")]
    Setting {
        /// The setting's name.
        key: &'static str,
        /// Its range.
        expected: String,
        /// Its value.
        found: usize,
    },
    /// A part of a degradation's configuration outside its range.
    #[error("{key}: expected {expected}, found {found}; correct it in the degradation's file")]
    Degradation {
        /// The path to the key, such as `steps[2].blur.kernels[0].size`.
        key: String,
        /// Its range.
        expected: String,
        /// Its value.
        found: String,
    },
    /// A degradation's file that is not as it should be.
    #[error("{path}: {reason}")]
    DegradationFile {
        /// The file.
        path: PathBuf,
        /// What was expected and found where.
        reason: String,
    },
    /// A name that is neither a degradation's nor that of a file.
    #[error(
        "no degradation for scale {scale} and no file is called `{name}`: expected real-esrgan or first-order (any \
         scale), bsrgan (scale 2 or 4), or the path of a TOML file"
    )]
    Preset {
        /// The name.
        name: String,
        /// HR size over LR size.
        scale: usize,
    },
    /// A picture that cannot go through a JPEG file.
    #[error("a picture of {height}x{width} cannot be compressed as JPEG: {reason}; degrade smaller pictures")]
    Jpeg {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// The codec's reason.
        reason: String,
    },
    /// A file that the system does not let us write.
    #[error("{path}: cannot be written; check the path, its permissions and the free space")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A packed cache that cannot be used.
    #[error("{path}: {reason}; remove it, or make it again with `abbe data prepare`")]
    Cache {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Pictures that were not all decoded, because a stop was asked for.
    #[error("stopped before all pictures were decoded; nothing was written")]
    Stopped,
    /// A range of an experiment outside of its limits.
    #[error("{key}: expected [low, high] with {least} <= low <= high <= {most}, found {found:?}")]
    Range {
        /// The setting's name.
        key: &'static str,
        /// The lowest number allowed.
        least: f64,
        /// The highest number allowed.
        most: f64,
        /// The range given.
        found: [f64; 2],
    },
    /// A picture without LR picture, where nothing says how to make one.
    #[error("{name}: no LR picture; say how LR is made, such as `lr = {{ bicubic = {{ border = \"replicate\" }} }}`")]
    NoLr {
        /// The HR picture's name.
        name: String,
    },
    /// A worker thread that the system refused to start.
    #[error("loader worker {worker} cannot be started; set a smaller number of workers")]
    Worker {
        /// Which one, from 0.
        worker: usize,
        /// The system's reason.
        source: io::Error,
    },
}
