//! The binary: see `order-service --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "failpoints")]
    order_service::failpoints::arm();
    order_service::cli::main()
}
