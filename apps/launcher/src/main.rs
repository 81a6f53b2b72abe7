//! The binary `umbel`: see the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    umbel::main()
}
