//! The actions of the model.

use super::system::SystemState;
use super::worker::{Stage, Worker};

/// An action; `w` is the index of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Claims the order when it is due, or when the lease of its holder has expired.
    Claim {
        w: usize,
    },
    /// Releases the lease between two step attempts.
    GiveBack {
        w: usize,
    },
    /// Begins a step attempt: acts on a cancel request, or on the next step.
    Begin {
        w: usize,
    },
    /// The connection to the peer fails before anything is sent.
    NotSent {
        w: usize,
    },
    /// The request arrives, and so does the response.
    Answer {
        w: usize,
        willing: bool,
    },
    /// As `Answer`, and the request arrives a second time at any later moment.
    AnswerTwice {
        w: usize,
        willing: bool,
    },
    /// The request times out and stays in flight.
    Unclear {
        w: usize,
    },
    /// Writes the result of the attempt.
    Write {
        w: usize,
    },
    /// Buffers the result in memory, where a crash loses it.
    Buffer {
        w: usize,
    },
    /// Writes the buffered progress during a call.
    WriteDuringCall {
        w: usize,
    },
    /// Writes the result, or the buffered progress during a call, without receiving the
    /// acknowledgement.
    WriteUnacknowledged {
        w: usize,
    },
    Crash {
        w: usize,
    },
    /// An abandoned request arrives.
    Arrive {
        late: usize,
        willing: bool,
    },
    /// An abandoned request is lost.
    Vanish {
        late: usize,
    },
    RequestCancel,
    /// A failover loses the last asynchronous commits.
    Forget,
    Lapse {
        reservation: usize,
    },
}

impl SystemState {
    /// All candidate actions; [`SystemState::next`] filters the possible ones.
    pub fn actions(&self, actions: &mut Vec<Action>) {
        for (w, worker) in self.workers.iter().enumerate() {
            match worker {
                Worker::Idle if self.row.due => actions.push(Action::Claim { w }),
                Worker::Idle => {}
                Worker::Working { stage, .. } => self.actions_of(w, stage, actions),
            }
        }
        for late in 0..self.late.len() {
            actions.push(Action::Vanish { late });
            actions.extend([true, false].map(|willing| Action::Arrive { late, willing }));
        }
        if self.left.cancels > 0 {
            actions.push(Action::RequestCancel);
        }
        if self.left.forgets > 0 && self.row.flushed != self.row.now {
            actions.push(Action::Forget);
        }
        if self.left.lapses > 0 {
            actions.extend([0, 1].map(|reservation| Action::Lapse { reservation }));
        }
    }

    fn actions_of(&self, w: usize, stage: &Stage, actions: &mut Vec<Action>) {
        match stage {
            Stage::Ready => actions.extend([
                Action::Begin { w },
                Action::NotSent { w },
                Action::GiveBack { w },
            ]),
            Stage::Calling { .. } => {
                actions.push(Action::WriteDuringCall { w });
                actions.extend([true, false].map(|willing| Action::Answer { w, willing }));
                if self.left.doubled > 0 {
                    actions.extend([true, false].map(|willing| Action::AnswerTwice { w, willing }));
                }
                if self.left.unclear > 0 {
                    actions.push(Action::Unclear { w });
                }
            }
            Stage::Ended(_) => actions.extend([Action::Write { w }, Action::Buffer { w }]),
        }
        if self.left.lost_acks > 0 && *stage != Stage::Ready {
            actions.push(Action::WriteUnacknowledged { w });
        }
        if self.left.losses > 0 {
            actions.push(Action::Crash { w });
        }
    }
}
