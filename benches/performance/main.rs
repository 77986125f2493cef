//! The budgets, measured: one table for a quiet box and a busy one, next to `ss`, `lsof` and the
//! `listeners` crate in the same run.
//!
//! `scripts/bench` runs it. It takes about three minutes, needs Linux, and asserts nothing: times
//! differ between machines and moments, and the ratios are what counts.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a table is what this makes"
)]

#[cfg(target_os = "linux")]
mod app;
#[cfg(target_os = "linux")]
mod boxes;
#[cfg(target_os = "linux")]
mod bus;
#[cfg(target_os = "linux")]
mod measure;
#[cfg(target_os = "linux")]
mod requests;
#[cfg(target_os = "linux")]
mod run;
mod table;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    run::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("only Linux is measured");
}
