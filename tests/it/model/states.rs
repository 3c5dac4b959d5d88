//! Predicates about states of the model, and the interesting states that must be reached.

use order_service::domain::saga::plan::Plan;
use stateright::Property;

use super::SagaModel;
use super::peers::Parcel;
use super::system::SystemState;
use super::worker::{Stage, Worker};

/// Interesting states, each of which must be reached.
pub(super) fn reached() -> Vec<Property<SagaModel>> {
    vec![
        Property::sometimes("an order is confirmed", |_, state| is_confirmed(state)),
        Property::sometimes("an order is cancelled", |_, state| is_checked(state)),
        Property::sometimes(
            "a worker does not know that it is superseded",
            |_, state: &SystemState| {
                state.workers.iter().any(|worker| {
                    matches!(worker, Worker::Working { current, stage: Stage::Ended(_), .. }
                    if current.epoch != state.row.now.epoch)
                })
            },
        ),
        Property::sometimes("two parcels are announced", |_, state: &SystemState| {
            state.peers.live().count() == 2
        }),
        Property::sometimes("a surplus parcel was recalled", |_, state| {
            is_confirmed(state) && state.peers.parcels.contains(&Parcel::Cancelled)
        }),
        Property::sometimes(
            "the late-arrival check has something to do",
            |_, state: &SystemState| {
                state.row.now.plan == Plan::Undone
                    && state.row.due
                    && state.is_settled()
                    && !has_nothing(state)
            },
        ),
        Property::sometimes(
            "the carrier keeps a parcel, and the order is confirmed",
            |_, state| is_confirmed(state) && state.peers.parcels.contains(&Parcel::Left),
        ),
        Property::sometimes("a saga is stuck", |_, state: &SystemState| {
            matches!(state.row.now.plan, Plan::Stuck { .. })
        }),
    ]
}

pub(super) fn is_confirmed(state: &SystemState) -> bool {
    state.is_settled()
        && state.row.now.plan == Plan::Completed
        && state.row.is_tracked
        && !state.row.now.cancel_requested
}

pub(super) fn has_everything(state: &SystemState) -> bool {
    let peers = &state.peers;
    peers.committed()
        && peers.holding() == 1
        && peers.taken().count() == 1
        && peers.live().count() == 1
}

pub(super) fn is_checked(state: &SystemState) -> bool {
    state.is_settled() && state.row.now.plan == Plan::Undone && !state.row.due
}

pub(super) fn has_nothing(state: &SystemState) -> bool {
    let peers = &state.peers;
    peers.holding() == 0 && peers.taken().count() == 0 && peers.live().count() == 0
}
