//! The catalogue of problems. Codes and statuses are part of the API and do not change.

use axum::http::StatusCode;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $status:ident $code:literal $title:literal,)*) => {
        /// The kind of a problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ProblemKind {
            $($(#[$doc])* $name,)*
        }

        impl ProblemKind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The stable name, for programs.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The page that describes the kind; the problem's `type`.
            pub fn type_uri(self) -> &'static str {
                match self { $(Self::$name => concat!("/problems/", $code),)* }
            }

            /// The kind, for people.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// The status of the response.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }
        }
    };
}

kinds! {
    /// Values are missing, of a wrong type or out of bounds.
    InvalidRequest = BAD_REQUEST "invalid-request" "The request is invalid",
    /// The body is not JSON, or an object has a duplicate name.
    MalformedBody = BAD_REQUEST "malformed-body" "The body cannot be read",
    /// The request has no valid token.
    Unauthenticated = UNAUTHORIZED "unauthenticated" "A valid access token is needed",
    /// Payment declined the charge; the order is cancelled.
    PaymentDeclined = PAYMENT_REQUIRED "payment-declined" "The payment was declined",
    /// The caller lacks the permission.
    Forbidden = FORBIDDEN "forbidden" "Not allowed",
    /// The resource does not exist, or the caller may not see it.
    NotFound = NOT_FOUND "not-found" "Not found",
    /// The route does not support the method.
    MethodNotAllowed = METHOD_NOT_ALLOWED "method-not-allowed" "Method not allowed",
    /// Inventory could not reserve the items; the order is cancelled.
    OutOfStock = CONFLICT "out-of-stock" "An item is out of stock",
    /// Shipping refused, or Inventory refused the last step; the order is cancelled.
    FulfilmentRefused = CONFLICT "fulfilment-refused" "The order cannot be fulfilled",
    /// The order is past the point of cancellation.
    CannotCancel = CONFLICT "cannot-cancel" "The order cannot be cancelled",
    /// The saga does not wait for a decision.
    NothingToDecide = CONFLICT "nothing-to-decide" "The order does not wait for a decision",
    /// The state machine has no such transition.
    InvalidTransition = CONFLICT "invalid-transition" "The transition is not allowed",
    /// Concurrent changes prevented the write.
    Conflict = CONFLICT "conflict" "The order is being changed",
    /// The order is not at the version in `If-Match` (optimistic concurrency).
    PreconditionFailed = PRECONDITION_FAILED "precondition-failed" "The order has changed",
    /// The body exceeds the size limit.
    BodyTooLarge = PAYLOAD_TOO_LARGE "body-too-large" "The body is too large",
    /// The body did not arrive within the time limit.
    BodyTooSlow = REQUEST_TIMEOUT "body-too-slow" "The body took too long to arrive",
    /// The content type is not supported.
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "The body must be JSON",
    /// The idempotency key belongs to another request.
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY "idempotency-key-reused" "The idempotency key was used before",
    /// The caller has reached its limit of event streams.
    TooManyListeners = TOO_MANY_REQUESTS "too-many-listeners" "Too many streams of events",
    /// The caller has exceeded its rate limit.
    RateLimited = TOO_MANY_REQUESTS "rate-limited" "Too many requests",
    /// The service failed.
    Internal = INTERNAL_SERVER_ERROR "internal-error" "Internal error",
    /// The database is unavailable.
    Unavailable = SERVICE_UNAVAILABLE "unavailable" "Not available at the moment",
    /// The process has reached its limit of concurrent requests (load shedding).
    Overloaded = SERVICE_UNAVAILABLE "overloaded" "The service is overloaded",
    /// The response did not begin within the time limit.
    TimedOut = SERVICE_UNAVAILABLE "timed-out" "The request took too long",
}
