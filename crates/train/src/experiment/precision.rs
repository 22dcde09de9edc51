//! In what networks compute while they are trained. Weights, sums, losses and optimisers are float32 in every precision.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind};

/// The precision of convolutions and matrix products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// The fastest that the machine has: bf16 where its processor or GPU multiplies in it, else f16 on a GPU and f32 on a CPU.
    Auto,
    /// float32.
    #[default]
    F32,
    /// float32 whose factors a GPU may round to 10 bits of mantissa; on a CPU the same as f32.
    Tf32,
    /// bfloat16: the range of float32 with 7 bits of mantissa.
    Bf16,
    /// float16: 10 bits of mantissa, but a small range, so that losses are scaled up before their gradient is taken. VGG, whose
    /// features may leave that range, computes in float32.
    F16,
}

impl Precision {
    /// What it is on this device: any but [`Precision::Auto`].
    pub fn resolved(self, device: Device) -> Self {
        match (self, device) {
            (Self::Auto, _) if abbe_torch::has_bf16(device) => Self::Bf16,
            (Self::Auto, Device::Cuda(_)) => Self::F16,
            (Self::Auto, _) => Self::F32,
            (other, _) => other,
        }
    }

    /// The type that autocast is to.
    pub fn kind(self) -> Kind {
        match self {
            Self::Bf16 => Kind::BFloat16,
            Self::F16 => Kind::Half,
            Self::Auto | Self::F32 | Self::Tf32 => Kind::Float,
        }
    }

    /// The type that VGG's autocast is to.
    pub fn of_vgg(self) -> Kind {
        if self == Self::F16 { Kind::Float } else { self.kind() }
    }

    /// Its name in an experiment.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        }
    }
}
