//! The option `--device`, the same for every command that runs a network.

use abbe_torch::parse_device;
use anyhow::Result;

/// Where networks run.
#[derive(clap::Args)]
pub struct DeviceArgument {
    /// Where to compute: cpu, cuda or cuda:N
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    device: String,
}

impl DeviceArgument {
    /// Finds the device.
    ///
    /// # Errors
    /// An unknown name, or a GPU that is not there.
    pub fn find(&self) -> Result<tch::Device> {
        Ok(parse_device(&self.device)?)
    }

    /// As the user wrote it.
    pub fn name(&self) -> &str {
        &self.device
    }
}
