//! The SKUs, amounts and customers that make a stand-in behave in a special way. Any order
//! that uses one shows how the service copes, without a fault having to be switched on.
//!
//! | what | value | the stand-in answers |
//! |---|---|---|
//! | SKU | `OUT-OF-STOCK` | reserve: 409 |
//! | SKU | `PARTIAL-STOCK` | reserve: 200 `"status":"PARTIAL"`, only the first line is held |
//! | amount | 402.00 | charge: 402, declined |
//! | amount | 402.01 | charge: 201 with `"status":"FAILED"` |
//! | amount | 402.02 | charge: done at once, the first answer takes 8 seconds |
//! | amount | 402.03 | charge: done, the first answer is a 500 |
//! | customer | 409409 | create shipment: 409 |

use std::time::Duration;

use rust_decimal::Decimal;

/// A SKU that is never there.
pub const OUT_OF_STOCK: &str = "OUT-OF-STOCK";

/// A SKU that makes a reservation hold its first line only.
pub const PARTIAL_STOCK: &str = "PARTIAL-STOCK";

/// An amount that is declined with 402.
pub const DECLINED: Decimal = hundredths(40_200);

/// An amount that is declined with 201 and `"status":"FAILED"`.
pub const FAILED_POLITELY: Decimal = hundredths(40_201);

/// An amount whose first charge is answered only after [`SLOW_ANSWER`].
pub const SLOW: Decimal = hundredths(40_202);

/// How long the answer to [`SLOW`] takes. Repeats are answered at once.
pub const SLOW_ANSWER: Duration = Duration::from_secs(8);

/// An amount that is charged, the first answer to which is a 500.
pub const CHARGED_BUT_500: Decimal = hundredths(40_203);

/// A customer to whom nothing can be shipped. Shipping knows an order's customer by what
/// Payment charged for it.
pub const UNREACHABLE_CUSTOMER: i64 = 409_409;

const fn hundredths(count: u32) -> Decimal {
    Decimal::from_parts(count, 0, 0, false, 2)
}
