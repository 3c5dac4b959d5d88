//! Advances parcels, on a schedule or on request.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::{MissedTickBehavior, interval};

use super::{ParcelStatus, Shipment};
use crate::hub::Hub;
use crate::parcel_updates::ParcelUpdate;

/// The first status lasts this many times longer, which leaves time to cancel.
const FIRST_STATUS_FACTOR: u32 = 3;

/// Bounds of the polling interval.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(5);
const LONGEST_INTERVAL: Duration = Duration::from_secs(1);

/// Advances parcels at this pace until the sandbox stops.
pub(crate) async fn run(hub: Hub, pace: Duration) {
    let mut ticks = interval((pace / 4).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while hub
        .stopping()
        .run_until_cancelled(ticks.tick())
        .await
        .is_some()
    {
        advance(&hub, |parcel, now| is_due(parcel, now, pace));
    }
}

/// Advances every unfinished parcel that `moves` selects by one status. Returns their number.
pub(crate) fn advance(hub: &Hub, moves: impl Fn(&Shipment, OffsetDateTime) -> bool) -> usize {
    let due = |parcel: &Shipment, now| parcel.status.next().is_some() && moves(parcel, now);
    let now = hub.now();
    // A read comes first, because an update causes a save even if no parcel moves.
    if !hub.read(|state| {
        state
            .parcels
            .shipments(None)
            .into_iter()
            .any(|parcel| due(parcel, now))
    }) {
        return 0;
    }
    let moved = hub.update(|state, now| {
        let mut moved = Vec::new();
        for parcel in state.parcels.0.rows_mut() {
            if due(parcel, now) {
                advance_one(parcel, now);
                moved.push((parcel.order_id, parcel.status));
            }
        }
        moved
    });
    for (order_id, status) in &moved {
        if let Some(update) = ParcelUpdate::of(*order_id, *status) {
            hub.publish(update);
        }
    }
    moved.len()
}

fn advance_one(parcel: &mut Shipment, now: OffsetDateTime) {
    if let Some(next) = parcel.status.next() {
        parcel.status = next;
        parcel.updated_at = now;
    }
}

fn is_due(parcel: &Shipment, now: OffsetDateTime, pace: Duration) -> bool {
    let stay = match parcel.status {
        ParcelStatus::Pending => pace.saturating_mul(FIRST_STATUS_FACTOR),
        _ => pace,
    };
    now - parcel.updated_at >= stay
}
