/// Why there is no file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A network that does something no layer tells of.
    #[error("{0} cannot be exported: it does something that is not told of in its graph")]
    NoGraph(String),
    /// Numbers that float16 does not reach.
    #[error("{name}: a number of it would not be finite in float16: leave --half out")]
    Overflow {
        /// The tensor, or `sr` for what the network gives.
        name: String,
    },
    /// A network that gives numbers which are not finite.
    #[error(
        "the network gives numbers that are not finite, so nothing can be checked: look at it with `abbe inspect --stats`"
    )]
    NotFinite,
    /// More than a protobuf can hold.
    #[error(
        "{size} bytes are too many for ONNX, whose files are smaller than 2 GiB: export it with --half, or as TorchScript"
    )]
    TooLarge {
        /// What there is to write.
        size: usize,
    },
    /// What was made does not do the same.
    #[error("what was made is not the network: {0}; nothing was written. Please report this")]
    Unlike(String),
    /// What libtorch says.
    #[error("libtorch: {}", first_line(.0))]
    Torch(#[from] tch::TchError),
}

/// libtorch's messages go on with where in C++ they arose.
fn first_line(error: &tch::TchError) -> String {
    error.to_string().lines().next().unwrap_or_default().escape_debug().to_string()
}
