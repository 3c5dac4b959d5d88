//! Move parcels along, by themselves or by hand.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::{MissedTickBehavior, interval};

use super::{ParcelStatus, Shipment};
use crate::hub::Hub;
use crate::parcel_updates::ParcelUpdate;

/// How many times longer a parcel stays in its first status, so that there is time to cancel.
const FIRST_STATUS_FACTOR: u32 = 3;

/// Bounds of how often parcels are looked at.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(5);
const LONGEST_INTERVAL: Duration = Duration::from_secs(1);

/// Move parcels along at this pace until the sandbox stops.
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

/// Move those parcels by one status that `moves` picks and that are still under way; tells
/// how many those were.
pub(crate) fn advance(hub: &Hub, moves: impl Fn(&Shipment, OffsetDateTime) -> bool) -> usize {
    let due = |parcel: &Shipment, now| parcel.status.next().is_some() && moves(parcel, now);
    let now = hub.now();
    // Looked at first: a turn in which nothing moves has nothing to save.
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
                move_on(parcel, now);
                moved.push((parcel.order_id, parcel.status));
            }
        }
        moved
    });
    for (order_id, status) in &moved {
        if let Some(news) = ParcelUpdate::of(*order_id, *status) {
            hub.publish(news);
        }
    }
    moved.len()
}

fn move_on(parcel: &mut Shipment, now: OffsetDateTime) {
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
