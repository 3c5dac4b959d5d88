//! Maps the statuses of PaymentService.

use serde_json::Value;

use super::PaymentRecordStatus;
use crate::peers::json;

impl PaymentRecordStatus {
    /// Maps a status word in capitals.
    pub(super) fn of(word: &str) -> Self {
        match word {
            "SUCCESS" | "COMPLETED" | "PAID" | "TRUE" => Self::Taken,
            "REFUNDED" => Self::Refunded,
            "FAILED" | "FALSE" | "DECLINED" => Self::Failed,
            _ => Self::Other,
        }
    }
}

/// The payment status of a response, and the words that it was read from.
///
/// The innermost status is the payment's own. The status of an envelope must not contradict it. Without
/// any status, the flag `success` counts.
pub(super) fn of_response(layers: &[&Value]) -> (PaymentRecordStatus, String) {
    let mut words: Vec<_> = layers
        .iter()
        .filter_map(|layer| json::status_word(layer, "status"))
        .collect();
    let success = layers.iter().find_map(|layer| json::success(layer));
    let Some(innermost) = words.pop() else {
        return match success {
            Some(true) => (PaymentRecordStatus::Taken, "success".to_owned()),
            Some(false) => (PaymentRecordStatus::Failed, "no success".to_owned()),
            None => (PaymentRecordStatus::Other, "no status".to_owned()),
        };
    };
    let state = PaymentRecordStatus::of(&innermost);
    let is_envelope = |word: &String| matches!(word.as_str(), "OK" | "CREATED" | "200" | "201");
    let agree = words.iter().all(|word| {
        is_envelope(word)
            || PaymentRecordStatus::of(word) == state
            || (PaymentRecordStatus::of(word) == PaymentRecordStatus::Taken
                && state != PaymentRecordStatus::Other)
    });
    let denied = success == Some(false) && state != PaymentRecordStatus::Failed;
    if agree && !denied {
        (state, format!("status {innermost}"))
    } else {
        (
            PaymentRecordStatus::Other,
            format!("status {innermost}, and another"),
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::peers::payment::WRAPPERS;

    #[test]
    fn the_inner_payment_status_counts_and_must_not_be_contradicted() {
        use PaymentRecordStatus::{Failed, Other, Refunded, Taken};
        for (response, expected) in [
            (json!({"status": "SUCCESS"}), Taken),
            (json!({"status": "completed"}), Taken),
            (json!({"status": true}), Taken),
            (json!({"status": "Paid"}), Taken),
            (json!({"status": "FAILED"}), Failed),
            (json!({"status": false}), Failed),
            (json!({"status": "declined"}), Failed),
            (json!({"status": "PENDING"}), Other),
            (json!({"status": null}), Other),
            (json!({}), Other),
            (json!({"success": true}), Taken),
            (json!({"success": false}), Failed),
            (json!({"success": true, "status": "FAILED"}), Failed),
            (json!({"success": true, "status": "PENDING"}), Other),
            (json!({"success": false, "status": "SUCCESS"}), Other),
            (
                json!({"status": "ok", "payment": {"status": "SUCCESS"}}),
                Taken,
            ),
            (
                json!({"status": "success", "payment": {"status": "FAILED"}}),
                Failed,
            ),
            (
                json!({"status": "success", "payment": {"status": "PENDING"}}),
                Other,
            ),
            (
                json!({"status": "FAILED", "payment": {"status": "SUCCESS"}}),
                Other,
            ),
            (
                json!({"status": "PENDING", "payment": {"status": "SUCCESS"}}),
                Other,
            ),
            (
                json!({"status": "success", "data": {"status": "REFUNDED"}}),
                Refunded,
            ),
        ] {
            let layers = json::layers(&response, &WRAPPERS);
            assert_eq!(of_response(&layers).0, expected, "{response}");
        }
    }
}
