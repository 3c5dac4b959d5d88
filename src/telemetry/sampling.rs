//! Sampling, and the ids of traces and spans. The trace id of a saga is the identity of its order, and the id of
//! its first span derives from it, so that every process that works on the order continues the same trace.

use std::cell::Cell;

use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{
    IdGenerator, RandomIdGenerator, SamplingDecision, SamplingResult, ShouldSample,
};
use uuid::Uuid;

/// The name of the span of a saga run.
const SAGA_SPAN: &str = "fulfilment.drive";

/// The samplers of the OpenTelemetry specification, except remote ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Honour the sampling decision of the parent.
    is_parent_based: bool,
    /// The ratio of sampled traces without such a decision, from 0 to 1.
    ratio: f64,
}

impl Sampling {
    /// A sampler by its name in `OTEL_TRACES_SAMPLER`; `ratio` is the ratio of `traceidratio`.
    pub fn of(name: &str, ratio: f64) -> Option<Self> {
        let is_parent_based = name.starts_with("parentbased_");
        let ratio = match name.strip_prefix("parentbased_").unwrap_or(name) {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => ratio,
            _ => return None,
        };
        Some(Self {
            is_parent_based,
            ratio,
        })
    }

    fn is_sampled(&self, parent: Option<&SpanContext>, trace_id: TraceId) -> bool {
        match parent {
            // All spans of a trace share one decision.
            Some(parent) if !parent.is_remote() => parent.is_sampled(),
            Some(parent) if self.is_parent_based && !is_saga_root(parent) => parent.is_sampled(),
            _ => self.ratio >= 1.0 || position(trace_id) < self.ratio,
        }
    }
}

/// Maps a trace id to a value from 0 to 1, the same in all processes. Uses the end of the id, because the
/// beginning of an order's identity is a timestamp, a version and a counter.
fn position(trace_id: TraceId) -> f64 {
    let [.., a, b, c, d] = trace_id.to_bytes();
    f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0)
}

impl ShouldSample for Sampling {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let parent = parent
            .map(|parent| parent.span().span_context().clone())
            .filter(SpanContext::is_valid);
        // Other root spans come from background loops, which query the database many times a minute or list
        // all records of the peers.
        let may_begin = *kind == SpanKind::Server || name == SAGA_SPAN;
        let is_sampled =
            (parent.is_some() || may_begin) && self.is_sampled(parent.as_ref(), trace_id);
        let is_query = name.starts_with("db.");
        SamplingResult {
            decision: match is_sampled {
                true => SamplingDecision::RecordAndSample,
                false => SamplingDecision::Drop,
            },
            attributes: match is_sampled && is_query {
                true => vec![KeyValue::new("db.system.name", "postgresql")],
                false => Vec::new(),
            },
            trace_state: parent.map_or_else(TraceState::default, |it| it.trace_state().clone()),
        }
    }
}

/// The span context of the first span of a saga, which this or another process has started.
pub(super) fn saga_root(identity: Uuid) -> SpanContext {
    let (_, random) = identity.as_u64_pair();
    SpanContext::new(
        TraceId::from(identity.as_u128()),
        // Never the invalid id 0, because these bytes contain the variant of the UUID.
        SpanId::from(random),
        // The trace id decides about sampling, the same in every process.
        TraceFlags::default(),
        true,
        TraceState::default(),
    )
}

fn is_saga_root(context: &SpanContext) -> bool {
    context.is_remote() && context.trace_id().to_bytes()[8..] == context.span_id().to_bytes()
}

thread_local! {
    /// The ids of the span that this thread starts next, unless they are random.
    static NEXT: Cell<Option<(TraceId, SpanId)>> = const { Cell::new(None) };
}

/// Generates random ids, except within [`TraceIds::with`].
#[derive(Debug, Default)]
pub(super) struct TraceIds(RandomIdGenerator);

impl TraceIds {
    /// The span that `begin` starts gets these ids.
    pub fn with(context: &SpanContext, begin: impl FnOnce()) {
        NEXT.set(Some((context.trace_id(), context.span_id())));
        begin();
        NEXT.set(None);
    }
}

impl IdGenerator for TraceIds {
    fn new_trace_id(&self) -> TraceId {
        NEXT.get()
            .map_or_else(|| self.0.new_trace_id(), |next| next.0)
    }

    fn new_span_id(&self) -> SpanId {
        NEXT.get()
            .map_or_else(|| self.0.new_span_id(), |next| next.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(trace_id: u128, sampled: bool) -> SpanContext {
        SpanContext::new(
            TraceId::from(trace_id),
            SpanId::from(7),
            TraceFlags::default().with_sampled(sampled),
            true,
            TraceState::default(),
        )
    }

    #[test]
    fn exactly_the_standard_samplers_are_known() {
        for name in [
            "always_on",
            "always_off",
            "traceidratio",
            "parentbased_always_on",
            "parentbased_always_off",
            "parentbased_traceidratio",
        ] {
            assert!(Sampling::of(name, 0.5).is_some(), "{name}");
        }
        for name in ["", "jaeger_remote", "parentbased_", "ALWAYS_ON"] {
            assert!(Sampling::of(name, 0.5).is_none(), "{name}");
        }
    }

    #[test]
    fn only_parent_based_samplers_honour_the_parent() {
        let trace_id = TraceId::from(1);
        for (name, by_itself, called_on, called_off) in [
            ("always_on", true, true, true),
            ("always_off", false, false, false),
            ("parentbased_always_on", true, true, false),
            ("parentbased_always_off", false, true, false),
        ] {
            let sampling = Sampling::of(name, 1.0).unwrap();
            assert_eq!(sampling.is_sampled(None, trace_id), by_itself, "{name}");
            for (sampled, expected) in [(true, called_on), (false, called_off)] {
                let parent = context(1, sampled);
                assert_eq!(
                    sampling.is_sampled(Some(&parent), trace_id),
                    expected,
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn the_sampling_ratio_holds_and_workers_sample_alike() {
        for ratio in [0.1, 0.5, 0.9] {
            let sampling = Sampling::of("parentbased_traceidratio", ratio).unwrap();
            let mut kept = 0;
            for _ in 0..4000 {
                let first = saga_root(Uuid::now_v7());
                let is_sampled = sampling.is_sampled(None, first.trace_id());
                assert_eq!(
                    sampling.is_sampled(Some(&first), first.trace_id()),
                    is_sampled
                );
                kept += i32::from(is_sampled);
            }
            let off = (f64::from(kept) / 4000.0 - ratio).abs();
            assert!(off < 0.05, "{kept} of 4000 at {ratio}");
        }
    }

    #[test]
    fn only_requests_and_sagas_start_whole_traces() {
        let sampling = Sampling::of("always_on", 1.0).unwrap();
        let sample = |parent: Option<&Context>, name: &str, kind: SpanKind| {
            let trace_id = TraceId::from(1);
            sampling.should_sample(parent, trace_id, name, &kind, &[], &[])
        };
        for (name, kind, kept) in [
            ("GET /v1/orders/", SpanKind::Server, true),
            ("fulfilment.drive", SpanKind::Internal, true),
            ("db.fulfilments.claim_due", SpanKind::Internal, false),
            ("reconciliation.run", SpanKind::Internal, false),
            ("peer.payment.list", SpanKind::Client, false),
        ] {
            let decision = sample(None, name, kind).decision;
            assert_eq!(
                decision == SamplingDecision::RecordAndSample,
                kept,
                "{name}"
            );
        }
        for is_sampled in [true, false] {
            let parent = context(1, is_sampled);
            let (flags, state) = (parent.trace_flags(), TraceState::default());
            let local = SpanContext::new(parent.trace_id(), parent.span_id(), flags, false, state);
            let parent = Context::new().with_remote_span_context(local);
            let query = sample(Some(&parent), "db.orders.find", SpanKind::Internal);
            assert_eq!(
                query.decision == SamplingDecision::RecordAndSample,
                is_sampled
            );
            let names_database = |it: &KeyValue| it.key.as_str() == "db.system.name";
            assert_eq!(query.attributes.iter().any(names_database), is_sampled);
        }
    }
}
