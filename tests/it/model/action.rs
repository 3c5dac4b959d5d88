//! What can happen next.

use super::system::World;
use super::worker::{Stage, Worker};

/// What can happen; `w` is a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Claims what is due, or what somebody else holds whose lease has ended.
    Claim {
        w: usize,
    },
    /// Gives the lease back between two turns.
    GiveBack {
        w: usize,
    },
    /// Begins a turn: acts on a wish to cancel, or on what is to be done.
    Begin {
        w: usize,
    },
    /// Cannot reach the peer.
    NotSent {
        w: usize,
    },
    /// The request arrives, and the answer too.
    Answer {
        w: usize,
        willing: bool,
    },
    /// The same, and the request arrives once more, at any time later.
    AnswerTwice {
        w: usize,
        willing: bool,
    },
    /// Waits no longer; the request is still under way.
    Unclear {
        w: usize,
    },
    /// Writes down how the attempt ended.
    Write {
        w: usize,
    },
    /// Keeps it in memory, where it may be lost.
    Keep {
        w: usize,
    },
    /// Writes what was kept while a call takes its time.
    WriteMeanwhile {
        w: usize,
    },
    /// Writes how the attempt ended, or what was kept while a call is under way, and does not hear that it
    /// is written.
    WriteUnheard {
        w: usize,
    },
    Crash {
        w: usize,
    },
    /// A request arrives that nobody waits for.
    Arrive {
        late: usize,
        willing: bool,
    },
    /// It never does.
    Vanish {
        late: usize,
    },
    Wish,
    /// The database goes on without its last lazy marks.
    Forget,
    Lapse {
        reservation: usize,
    },
}

impl World {
    /// Everything that may be possible; [`World::next`] knows what is.
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
        if self.left.wishes > 0 {
            actions.push(Action::Wish);
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
                actions.push(Action::WriteMeanwhile { w });
                actions.extend([true, false].map(|willing| Action::Answer { w, willing }));
                if self.left.doubled > 0 {
                    actions.extend([true, false].map(|willing| Action::AnswerTwice { w, willing }));
                }
                if self.left.unclear > 0 {
                    actions.push(Action::Unclear { w });
                }
            }
            Stage::Ended(_) => actions.extend([Action::Write { w }, Action::Keep { w }]),
        }
        if self.left.unheard > 0 && *stage != Stage::Ready {
            actions.push(Action::WriteUnheard { w });
        }
        if self.left.losses > 0 {
            actions.push(Action::Crash { w });
        }
    }
}
