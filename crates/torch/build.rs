//! Compiles the C++ of this crate against the libtorch that LIBTORCH names.

use std::path::{Path, PathBuf};

/// What libtorch's ProcessGroupGloo.hpp includes and libtorch does not bring; `cpp/process_group.cpp` declares its types.
const GLOO: [&str; 5] = ["algorithm.h", "common/error.h", "context.h", "rendezvous/store.h", "transport/device.h"];

/// What libtorch's ProcessGroupNCCL.hpp includes, each for a package of its own.
const CUDA: [&str; 4] = ["cuda_runtime.h", "crt/host_config.h", "nv/target", "nccl.h"];

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
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .std("c++17")
        .flag_if_supported("-Wno-unused-parameter")
        .flag_if_supported("-Wno-maybe-uninitialized") // in libtorch's headers
        .opt_level(3) // its loops are timed, in every profile
        .flag("-fopenmp") // at::parallel_for is a template of these pragmas: without, its loops take one thread
        .define("USE_DISTRIBUTED", None)
        .define("USE_C10D_GLOO", None)
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .include(empty_gloo_headers())
        .file("cpp/abbe_torch.cpp")
        .file("cpp/convolution.cpp")
        .file("cpp/graph.cpp")
        .file("cpp/process_group.cpp")
        .file("cpp/script.cpp")
        .file("cpp/stream.cpp")
        .file("cpp/winograd.cpp");
    if let Some(folders) = cuda_headers(&libtorch) {
        build.define("USE_C10D_NCCL", None).define("ABBE_NCCL", None).includes(folders).file("cpp/nccl.cpp");
    }
    build.compile("abbe_torch");
    println!("cargo:rustc-link-lib=gomp"); // libtorch's own at run time, by its name
}

/// The folders with all that NCCL's part needs: CUDA_HOME's, or those of Python's packages beside libtorch; none on a
/// machine without, which needs none.
fn cuda_headers(libtorch: &Path) -> Option<Vec<PathBuf>> {
    println!("cargo:rerun-if-env-changed=CUDA_HOME");
    let home = PathBuf::from(std::env::var_os("CUDA_HOME").unwrap_or_else(|| "/usr/local/cuda".into())).join("include");
    let packages = libtorch.join("../nvidia");
    let folders = [
        home.join("cccl"),
        home,
        packages.join("cu13/include/cccl"),
        packages.join("cu13/include"),
        packages.join("nccl/include"),
    ];
    let present = |header: &&str| folders.iter().any(|folder| folder.join(header).is_file());
    CUDA.iter().all(present).then(|| folders.into())
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
