//! Failpoints between writes and around calls to peers, at which a test can kill the process. Without the feature
//! `failpoints`, which no release has, they compile to nothing.

/// All failpoints. Tests fail if the code reaches an unlisted one, or never reaches a listed one.
#[cfg(feature = "failpoints")]
pub const POINTS: [&str; 50] = [
    "orders.place.before_write",
    "orders.place.after_write",
    "orders.cancel.before_write",
    "orders.cancel.after_write",
    "orders.decide.before_write",
    "orders.decide.after_write",
    "fulfilment.claim.after_write",
    "fulfilment.renew.after_write",
    "fulfilment.give_back.before_write",
    "fulfilment.give_back.after_write",
    "fulfilment.do.reserve_stock.before_write",
    "fulfilment.do.reserve_stock.after_write",
    "fulfilment.do.charge_payment.before_write",
    "fulfilment.do.charge_payment.after_write",
    "fulfilment.do.create_shipment.before_write",
    "fulfilment.do.create_shipment.after_write",
    "fulfilment.do.commit_stock.before_write",
    "fulfilment.do.commit_stock.after_write",
    "fulfilment.decide.cancel.before_write",
    "fulfilment.decide.cancel.after_write",
    "fulfilment.undo.commit_stock.before_write",
    "fulfilment.undo.commit_stock.after_write",
    "fulfilment.undo.create_shipment.before_write",
    "fulfilment.undo.create_shipment.after_write",
    "fulfilment.undo.charge_payment.before_write",
    "fulfilment.undo.charge_payment.after_write",
    "fulfilment.undo.reserve_stock.before_write",
    "fulfilment.undo.reserve_stock.after_write",
    "fulfilment.do.follow_shipment.before_write",
    "fulfilment.do.follow_shipment.after_write",
    "fulfilment.undo.sweep.before_write",
    "fulfilment.undo.sweep.after_write",
    "peers.inventory.reserve.before_call",
    "peers.inventory.reserve.after_call",
    "peers.inventory.release.before_call",
    "peers.inventory.release.after_call",
    "peers.inventory.commit.before_call",
    "peers.inventory.commit.after_call",
    "peers.payment.charge.before_call",
    "peers.payment.charge.after_call",
    "peers.payment.find.before_call",
    "peers.payment.find.after_call",
    "peers.payment.refund.before_call",
    "peers.payment.refund.after_call",
    "peers.shipping.create.before_call",
    "peers.shipping.create.after_call",
    "peers.shipping.find.before_call",
    "peers.shipping.find.after_call",
    "peers.shipping.cancel.before_call",
    "peers.shipping.cancel.after_call",
];

/// Reaches the failpoint with this name, given as parts that are joined by dots.
#[cfg(feature = "failpoints")]
pub(crate) fn pass(parts: &[&str]) {
    let name = parts.join(".");
    assert!(
        POINTS.contains(&name.as_str()),
        "{name} is not among the failpoints"
    );
    fail::fail_point!(&name);
}

/// Does nothing.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub(crate) fn pass(_: &[&str]) {}

/// Kills the process by SIGKILL at the points of the variable `FAILPOINTS`, for example
/// `orders.place.after_write=panic`. No destructor runs, as in a real crash.
#[cfg(feature = "failpoints")]
pub fn arm() {
    // Forgotten, so that the points stay configured until the process ends.
    std::mem::forget(fail::FailScenario::setup());
    if fail::list().is_empty() {
        return;
    }
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        let own = std::process::id().to_string();
        let _ = std::process::Command::new("kill")
            .args(["-KILL", &own])
            .status();
        std::process::abort();
    }));
}
