//! SKUs, amounts and customers that trigger special behaviour. Any order can use them to show how the
//! service handles a failure, without an active fault.
//!
//! | what | value | response of the stand-in |
//! |---|---|---|
//! | SKU | `OUT-OF-STOCK` | reserve: 409 |
//! | SKU | `PARTIAL-STOCK` | reserve: 200 `"status":"PARTIAL"`, only the first line is reserved |
//! | amount | 402.00 | charge: 402, declined |
//! | amount | 402.01 | charge: 201 with `"status":"FAILED"` |
//! | amount | 402.02 | charge: executed at once, the first response takes 8 seconds |
//! | amount | 402.03 | charge: executed, the first response is a 500 |
//! | customer | 409409 | create shipment: 409 |

use std::time::Duration;

use rust_decimal::Decimal;

/// A SKU that is always out of stock.
pub const OUT_OF_STOCK: &str = "OUT-OF-STOCK";

/// A SKU that makes a reservation cover only its first line.
pub const PARTIAL_STOCK: &str = "PARTIAL-STOCK";

/// An amount that is declined with 402.
pub const DECLINED: Decimal = hundredths(40_200);

/// An amount that is declined with 201 and `"status":"FAILED"`.
pub const FAILED_POLITELY: Decimal = hundredths(40_201);

/// An amount whose first charge is answered after [`SLOW_ANSWER`].
pub const SLOW: Decimal = hundredths(40_202);

/// The delay of the first response to [`SLOW`]. Repeated requests are answered at once.
pub const SLOW_ANSWER: Duration = Duration::from_secs(8);

/// An amount that is charged and first answered with a 500.
pub const CHARGED_BUT_500: Decimal = hundredths(40_203);

/// A customer to whom Shipping refuses to deliver. Shipping identifies an order's customer by the charges
/// of the order.
pub const UNREACHABLE_CUSTOMER: i64 = 409_409;

const fn hundredths(count: u32) -> Decimal {
    Decimal::from_parts(count, 0, 0, false, 2)
}
