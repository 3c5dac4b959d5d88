//! The binary: see `order-service --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    order_service::cli::main()
}
