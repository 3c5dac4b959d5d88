//! Fields of the access log that handlers attach to a response as extensions.

/// The authenticated caller, as events name it.
#[derive(Clone, Debug)]
pub struct LoggedCaller(pub String);

/// The order that a request has placed or found.
#[derive(Clone, Copy, Debug)]
pub struct LoggedOrder(pub i64);
