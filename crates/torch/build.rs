//! Compiles the C++ of this crate against the libtorch that LIBTORCH names.

use std::path::PathBuf;

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
        .flag_if_supported("-Wno-maybe-uninitialized") // in libtorch's headers
        .include(&include)
        .opt_level(3) // its loops are timed, in every profile
        .file("cpp/abbe_torch.cpp")
        .file("cpp/convolution.cpp")
        .compile("abbe_torch");
}
