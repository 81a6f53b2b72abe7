//! The binary `umbel`, for these tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    umbel::main()
}
