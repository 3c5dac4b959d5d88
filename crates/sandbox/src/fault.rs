//! Fault injection: failures that a developer or a test activates.

use std::time::Duration;

use serde::Serialize;

use super::operation::Operation;

/// A failure to inject.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fault {
    /// The operation; `None` applies to every operation, `*` on the wire.
    #[serde(serialize_with = "operation_or_star")]
    pub operation: Option<Operation>,
    /// What happens to the call.
    pub kind: Kind,
    /// Delay in milliseconds before the failure, or before the operation if the kind is a delay.
    pub delay_ms: u64,
    /// Share of the affected calls, 0 to 1.
    pub rate: f64,
    /// Number of calls after which the fault is removed; `None` is unlimited.
    pub times: Option<u32>,
}

/// The effect of a fault on a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Responds with the operation's definite refusal, without executing it.
    Refuse,
    /// Only delays: executes after the delay, even if the client has disconnected.
    Delay,
    /// Responds with 500 without executing.
    ErrorBefore,
    /// Executes, then responds with 500.
    ErrorAfter,
    /// Closes the connection without executing and without a response.
    DropBefore,
    /// Executes, then closes the connection without a response.
    DropAfter,
    /// Responds with 429 and `Retry-After: 1` without executing.
    TooMany,
    /// Responds with 503 and `Retry-After: 1` without executing.
    Unavailable,
    /// Neither executes nor responds.
    HangBefore,
    /// Executes and never responds.
    HangAfter,
    /// Executes, then responds with 200 and a body that is not JSON.
    Garbage,
    /// Executes, then closes the connection in the middle of the response.
    Truncate,
    /// Reserve only: reserves the first line and responds with 200 `"status":"PARTIAL"`.
    Partial,
    /// Charge and create only: ignores the idempotency key and executes again.
    Again,
}

impl Kind {
    /// All kinds with their names on the wire.
    pub const ALL: [(&str, Self); 14] = [
        ("refuse", Self::Refuse),
        ("delay", Self::Delay),
        ("error_before", Self::ErrorBefore),
        ("error_after", Self::ErrorAfter),
        ("drop_before", Self::DropBefore),
        ("drop_after", Self::DropAfter),
        ("too_many", Self::TooMany),
        ("unavailable", Self::Unavailable),
        ("hang_before", Self::HangBefore),
        ("hang_after", Self::HangAfter),
        ("garbage", Self::Garbage),
        ("truncate", Self::Truncate),
        ("partial", Self::Partial),
        ("again", Self::Again),
    ];

    /// Whether this kind exists for the operation.
    pub(super) fn applies_to(self, operation: Operation) -> bool {
        match self {
            Self::Partial => operation == Operation::Reserve,
            Self::Again => matches!(operation, Operation::Charge | Operation::Create),
            _ => true,
        }
    }
}

impl Fault {
    /// A fault that applies to every call of this operation.
    pub fn new(operation: Operation, kind: Kind) -> Self {
        Self {
            operation: Some(operation),
            ..Self::everywhere(kind)
        }
    }

    /// A fault that applies to every call of every operation.
    pub fn everywhere(kind: Kind) -> Self {
        Self {
            operation: None,
            kind,
            delay_ms: 0,
            rate: 1.0,
            times: None,
        }
    }

    /// Delays the fault, in milliseconds.
    pub fn after_ms(self, delay_ms: u64) -> Self {
        Self { delay_ms, ..self }
    }

    /// Limits the fault to this share of calls, 0 to 1.
    pub fn at_rate(self, rate: f64) -> Self {
        Self { rate, ..self }
    }

    /// Limits the fault to the next `times` calls.
    pub fn times(self, times: u32) -> Self {
        let times = Some(times);
        Self { times, ..self }
    }

    fn applies_to(&self, operation: Operation) -> bool {
        self.operation.is_none_or(|own| own == operation)
            && self.kind.applies_to(operation)
            && self.times != Some(0)
            && rand::random::<f64>() < self.rate
    }
}

/// The active faults, in order of activation.
#[derive(Debug, Default)]
pub(super) struct ActiveFaults(Vec<Fault>);

/// The faults that apply to one call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct InjectedFault {
    /// The sum of all delays, waited for first.
    pub delay: Duration,
    /// The failure that follows the delay.
    pub kind: Option<Kind>,
}

impl ActiveFaults {
    /// Activates a fault. It replaces one of the same operation and kind.
    pub fn set(&mut self, fault: Fault) {
        self.0
            .retain(|own| (own.operation, own.kind) != (fault.operation, fault.kind));
        self.0.push(fault);
    }

    /// Deactivates all faults.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The active faults.
    pub fn active(&self) -> &[Fault] {
        &self.0
    }

    /// Selects the faults for a call: all delays, and the first failure of another kind.
    pub fn draw(&mut self, operation: Operation) -> InjectedFault {
        let mut injected = InjectedFault::default();
        for fault in &mut self.0 {
            let taken = fault.kind != Kind::Delay && injected.kind.is_some();
            if taken || !fault.applies_to(operation) {
                continue;
            }
            injected.delay = injected
                .delay
                .saturating_add(Duration::from_millis(fault.delay_ms));
            if fault.kind != Kind::Delay {
                injected.kind = Some(fault.kind);
            }
            fault.times = fault.times.map(|left| left.saturating_sub(1));
        }
        self.0.retain(|fault| fault.times != Some(0));
        injected
    }
}

#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
fn operation_or_star<S: serde::Serializer>(
    operation: &Option<Operation>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(operation.map_or("*", Operation::name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delay_faults_add_up_and_the_first_other_fault_wins() {
        let mut faults = ActiveFaults::default();
        faults.set(Fault::everywhere(Kind::Delay).after_ms(20));
        faults.set(Fault::new(Operation::Charge, Kind::Garbage).after_ms(5));
        faults.set(Fault::new(Operation::Charge, Kind::Refuse).times(1));
        let both = InjectedFault {
            delay: Duration::from_millis(25),
            kind: Some(Kind::Garbage),
        };
        assert_eq!(faults.draw(Operation::Charge), both);
        assert_eq!(
            faults.active().len(),
            3,
            "a fault that did not strike is not used up"
        );
    }

    #[test]
    fn a_fault_for_two_calls_ends_after_two() {
        let mut faults = ActiveFaults::default();
        faults.set(Fault::new(Operation::Reserve, Kind::Refuse).times(2));
        for _ in 0..2 {
            assert_eq!(faults.draw(Operation::Release), InjectedFault::default());
            assert_eq!(faults.draw(Operation::Reserve).kind, Some(Kind::Refuse));
        }
        assert!(faults.active().is_empty());
        assert_eq!(faults.draw(Operation::Reserve), InjectedFault::default());
    }

    #[test]
    fn a_fault_rate_of_zero_never_strikes() {
        let mut faults = ActiveFaults::default();
        faults.set(Fault::everywhere(Kind::ErrorBefore).at_rate(0.0));
        assert!((0..100).all(|_| faults.draw(Operation::Create) == InjectedFault::default()));
    }
}
