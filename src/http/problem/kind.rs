//! The catalogue of problems: names and statuses are part of the API and do not change.

use axum::http::StatusCode;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $status:ident $code:literal $title:literal,)*) => {
        /// Every kind of problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $name,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name for machines.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Where the kind is described; the problem's `type`.
            pub fn type_uri(self) -> &'static str {
                match self { $(Self::$name => concat!("/problems/", $code),)* }
            }

            /// The kind in words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// The status that goes with it.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }
        }
    };
}

kinds! {
    /// Values that are missing, of a wrong type or out of bounds.
    InvalidRequest = BAD_REQUEST "invalid-request" "The request has faults",
    /// No JSON, or an object that names something twice.
    MalformedBody = BAD_REQUEST "malformed-body" "The body cannot be read",
    /// No token, or none that is accepted.
    Unauthenticated = UNAUTHORIZED "unauthenticated" "A valid access token is needed",
    /// Payment refused; the order was called off.
    PaymentDeclined = PAYMENT_REQUIRED "payment-declined" "The payment was declined",
    /// Not for this caller.
    Forbidden = FORBIDDEN "forbidden" "Not allowed",
    /// Nothing there, or nothing that this caller may see.
    NotFound = NOT_FOUND "not-found" "Not found",
    /// The path does not know the method.
    MethodNotAllowed = METHOD_NOT_ALLOWED "method-not-allowed" "Method not allowed",
    /// Inventory could not reserve; the order was called off.
    OutOfStock = CONFLICT "out-of-stock" "An item is out of stock",
    /// Shipping refused, or Inventory at the last step; the order was called off.
    FulfilmentRefused = CONFLICT "fulfilment-refused" "The order cannot be fulfilled",
    /// Too late to cancel.
    CannotCancel = CONFLICT "cannot-cancel" "The order cannot be cancelled",
    /// The order does not wait for a person.
    NothingToDecide = CONFLICT "nothing-to-decide" "The order does not wait for a decision",
    /// The statuses do not lead there.
    InvalidTransition = CONFLICT "invalid-transition" "The status cannot go there",
    /// Others are at it.
    Conflict = CONFLICT "conflict" "The order is being changed",
    /// The order is not at the version that the request names.
    PreconditionFailed = PRECONDITION_FAILED "precondition-failed" "The order has changed",
    /// Too much.
    BodyTooLarge = PAYLOAD_TOO_LARGE "body-too-large" "The body is too large",
    /// Began, and did not come to its end in time.
    BodyTooSlow = REQUEST_TIMEOUT "body-too-slow" "The body took too long to arrive",
    /// Not JSON by its own account.
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "The body must be JSON",
    /// The key stands for another request.
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY "idempotency-key-reused" "The idempotency key was used before",
    /// The caller has as many streams of events as it may have.
    TooManyListeners = TOO_MANY_REQUESTS "too-many-listeners" "Too many streams of events",
    /// The caller has asked more often than it may.
    RateLimited = TOO_MANY_REQUESTS "rate-limited" "Too many requests",
    /// A fault of ours.
    Internal = INTERNAL_SERVER_ERROR "internal-error" "Internal error",
    /// The database is away.
    Unavailable = SERVICE_UNAVAILABLE "unavailable" "Not available at the moment",
    /// More requests at a time than this process answers.
    Overloaded = SERVICE_UNAVAILABLE "overloaded" "Too much to do at the moment",
    /// Begun, and not answered in time.
    TimedOut = SERVICE_UNAVAILABLE "timed-out" "The request took too long",
}
