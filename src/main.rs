//! The program `freeport`.

fn main() -> std::process::ExitCode {
    freeport::run()
}
