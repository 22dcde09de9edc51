//! Compiles the C++ of this crate against the libtorch that LIBTORCH names.

use std::path::{Path, PathBuf};

/// What libtorch's ProcessGroupGloo.hpp includes and libtorch does not bring; `cpp/process_group.cpp` declares its types.
const GLOO: [&str; 5] = ["algorithm.h", "common/error.h", "context.h", "rendezvous/store.h", "transport/device.h"];

fn main() {
    println!("cargo:rerun-if-changed=cpp");
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    let libtorch = PathBuf::from(std::env::var_os("LIBTORCH").unwrap_or_default());
    let include = libtorch.join("include");
    assert!(
        include.join("ATen/ATen.h").is_file(),
        "no libtorch at LIBTORCH={}: run `cargo xtask setup`, or point LIBTORCH at libtorch 2.11.0",
        libtorch.display()
    );
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .flag_if_supported("-Wno-unused-parameter")
        .define("USE_DISTRIBUTED", None)
        .define("USE_C10D_GLOO", None)
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .include(empty_gloo_headers())
        .file("cpp/abbe_torch.cpp")
        .file("cpp/process_group.cpp")
        .compile("abbe_torch");
}

/// The folder of empty files by Gloo's names.
fn empty_gloo_headers() -> PathBuf {
    let folder = Path::new(&std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("include");
    for header in GLOO {
        let path = folder.join("gloo").join(header);
        std::fs::create_dir_all(path.parent().expect("a file of a folder")).expect("cargo's folder can be written");
        std::fs::write(path, "").expect("cargo's folder can be written");
    }
    folder
}
