//! ActiveFaults: what a developer switches on to see the service cope.

use std::time::Duration;

use serde::Serialize;

use super::operation::Operation;

/// A way for a stand-in to misbehave.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fault {
    /// The operation it applies_to; `None` is every one, `*` on the wire.
    #[serde(serialize_with = "operation_or_star")]
    pub operation: Option<Operation>,
    /// What happens.
    pub kind: Kind,
    /// Milliseconds to wait before it happens, or before the operation if it is only a delay.
    pub delay_ms: u64,
    /// The share of calls that it applies_to, 0 to 1.
    pub rate: f64,
    /// How many calls it applies_to before it is gone; `None` is no end.
    pub times: Option<u32>,
}

/// What a fault does to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The operation's definite no, without executing it.
    Refuse,
    /// Nothing but the delay: executed after it, even when the client has left.
    Delay,
    /// 500 without executing.
    ErrorBefore,
    /// Executes, then 500.
    ErrorAfter,
    /// Closes the connection without an answer and without executing.
    DropBefore,
    /// Executes, then closes the connection without an answer.
    DropAfter,
    /// 429 with `Retry-After: 1`, without executing.
    TooMany,
    /// 503 with `Retry-After: 1`, without executing.
    Unavailable,
    /// Never answers, and does not execute.
    HangBefore,
    /// Executes, and never answers.
    HangAfter,
    /// Executes, then answers 200 with a body that is no JSON.
    Garbage,
    /// Executes, then breaks off in the middle of the answer.
    Truncate,
    /// Reserve only: holds the first line and answers 200 `"status":"PARTIAL"`.
    Partial,
    /// Charge and create only: knows no keys, and does what it has done before once more.
    Again,
}

impl Kind {
    /// Every kind, with its name on the wire.
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

    /// Whether it can befall this operation at all.
    pub(super) fn applies_to(self, operation: Operation) -> bool {
        match self {
            Self::Partial => operation == Operation::Reserve,
            Self::Again => matches!(operation, Operation::Charge | Operation::Create),
            _ => true,
        }
    }
}

impl Fault {
    /// A fault that applies_to every call of this operation.
    pub fn new(operation: Operation, kind: Kind) -> Self {
        Self {
            operation: Some(operation),
            ..Self::everywhere(kind)
        }
    }

    /// A fault that applies_to every call of every operation.
    pub fn everywhere(kind: Kind) -> Self {
        Self {
            operation: None,
            kind,
            delay_ms: 0,
            rate: 1.0,
            times: None,
        }
    }

    /// The same after a delay of so many milliseconds.
    pub fn after_ms(self, delay_ms: u64) -> Self {
        Self { delay_ms, ..self }
    }

    /// The same for this share of calls, 0 to 1.
    pub fn at_rate(self, rate: f64) -> Self {
        Self { rate, ..self }
    }

    /// The same for the next so many calls.
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

/// The faults that are switched on, in the order they were.
#[derive(Debug, Default)]
pub(super) struct ActiveFaults(Vec<Fault>);

/// What applies_to one call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct InjectedFault {
    /// Waited for first.
    pub delay: Duration,
    /// Then this, if anything but the delay.
    pub kind: Option<Kind>,
}

impl ActiveFaults {
    /// Switch one on, in place of its like.
    pub fn set(&mut self, fault: Fault) {
        self.0
            .retain(|own| (own.operation, own.kind) != (fault.operation, fault.kind));
        self.0.push(fault);
    }

    /// Switch all off.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Those that are on.
    pub fn active(&self) -> &[Fault] {
        &self.0
    }

    /// What applies_to a call of this operation: every delay, and the first of the others.
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
