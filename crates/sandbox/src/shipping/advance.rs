//! Move parcels along, by themselves or by hand.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::{MissedTickBehavior, interval};

use super::{ParcelStatus, Shipment};
use crate::desk::Desk;
use crate::news::News;

/// How many times longer a parcel stays in its first status, so that there is time to cancel.
const FIRST_STAY: u32 = 3;

/// Bounds of how often parcels are looked at.
const SHORTEST_TURN: Duration = Duration::from_millis(5);
const LONGEST_TURN: Duration = Duration::from_secs(1);

/// Move parcels along at this pace until the sandbox stops.
pub(crate) async fn run(desk: Desk, pace: Duration) {
    let mut turn = interval((pace / 4).clamp(SHORTEST_TURN, LONGEST_TURN));
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while desk
        .stopping()
        .run_until_cancelled(turn.tick())
        .await
        .is_some()
    {
        advance(&desk, |parcel, now| is_due(parcel, now, pace));
    }
}

/// Move those parcels by one status that `moves` picks and that are still under way; tells
/// how many those were.
pub(crate) fn advance(desk: &Desk, moves: impl Fn(&Shipment, OffsetDateTime) -> bool) -> usize {
    let due = |parcel: &Shipment, now| parcel.status.next().is_some() && moves(parcel, now);
    let now = desk.now();
    // Looked at first: a turn in which nothing moves has nothing to save.
    if !desk.look(|world| {
        world
            .parcels
            .shipments(None)
            .into_iter()
            .any(|parcel| due(parcel, now))
    }) {
        return 0;
    }
    let moved = desk.change(|world, now| {
        let mut moved = Vec::new();
        for parcel in world.parcels.0.rows_mut() {
            if due(parcel, now) {
                move_on(parcel, now);
                moved.push((parcel.order_id, parcel.status));
            }
        }
        moved
    });
    for (order_id, status) in &moved {
        if let Some(news) = News::of(*order_id, *status) {
            desk.announce(news);
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
        ParcelStatus::Pending => pace.saturating_mul(FIRST_STAY),
        _ => pace,
    };
    now - parcel.updated_at >= stay
}
