//! The commands, one file each: their arguments, and what they call.

pub mod bench_train;
pub mod bench_upscale;
pub mod convert;
pub mod data;
pub mod demo;
pub mod eval;
pub mod export;
pub mod fetch;
pub mod figures;
pub mod inspect;
pub mod models;
pub mod report;
pub mod score;
pub mod selfcheck;
pub mod train;
pub mod upscale;
