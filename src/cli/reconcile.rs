//! `order-service reconcile`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::app;
use crate::config::ReconcileConfig;
use crate::reconciliation::{
    Finding, PeerListing, ReconciliationScope, ReconciliationSummary, RepairOutcome,
};

use super::{Environment, Result, init_logs, moment, print_error, say};

/// The exit code if a finding was not repaired.
const FOUND: u8 = 1;
/// The exit code if not everything could be compared.
const INCOMPLETE: u8 = 2;

#[derive(Parser)]
#[command(
    after_help = "Ends with 0 when everything agrees or was repaired, 1 when findings remain or were handed to staff, 2 when not everything could be compared. What each finding means is in docs/operations.md."
)]
pub struct ReconcileArgs {
    /// Start of the compared period, such as 2025-01-31T00:00:00Z; by default RECONCILE_DAYS back
    #[arg(long, value_parser = moment)]
    since: Option<OffsetDateTime>,
    /// End of the compared period; by default now
    #[arg(long, value_parser = moment)]
    until: Option<OffsetDateTime>,
    /// Seconds for which an order must be unchanged to be compared; by default the longer of
    /// SWEEP_AFTER_MS and ten minutes
    #[arg(long, value_name = "SECONDS")]
    grace: Option<u32>,
    /// Repair what is safe to repair, and hand the rest to staff
    #[arg(long)]
    repair: bool,
    /// Print a line of JSON for each finding, and one for the summary
    #[arg(long)]
    json: bool,
}

pub async fn run(args: ReconcileArgs, environment: &Environment) -> ExitCode {
    match reconcile(&args, environment).await {
        Ok(summary) if !summary.is_complete() => INCOMPLETE.into(),
        Ok(summary) if summary.found() > summary.repaired => FOUND.into(),
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&*error);
            INCOMPLETE.into()
        }
    }
}

async fn reconcile(
    args: &ReconcileArgs,
    environment: &Environment,
) -> Result<ReconciliationSummary> {
    let mut environment = environment.or_dev();
    environment.fall_back("RUST_LOG", "off");
    init_logs(&environment)?;
    let reconciliation = app::reconciliation(environment.read(ReconcileConfig::read)?)?;
    let scope = ReconciliationScope {
        since: args.since,
        until: args.until,
        grace: args
            .grace
            .map(|seconds| Duration::from_secs(seconds.into())),
        repair: args.repair,
    };
    let mut printed = 0_u64;
    let mut print = |finding: &Finding| {
        if args.json {
            say(&of_finding(finding).to_string());
            return;
        }
        if printed == 0 {
            say(&row("FINDING", "ORDER", "RECORD", "WHAT", "REPAIR"));
        }
        printed += 1;
        say(&row(
            finding.kind.as_str(),
            &finding.order_id.to_string(),
            finding.record_id.as_deref().unwrap_or("-"),
            &finding.detail,
            &in_words(finding.outcome.as_ref()),
        ));
    };
    let summary = reconciliation.run(scope, &mut print).await?;
    if args.json {
        say(&of_summary(&summary).to_string());
    } else {
        print_summary(&summary);
    }
    Ok(summary)
}

fn row(kind: &str, order: &str, record: &str, what: &str, repair: &str) -> String {
    let row = format!("{kind:<22}  {order:>8}  {record:<14}  {what}");
    match repair {
        "" => row,
        repair => format!("{row}  [{repair}]"),
    }
}

fn in_words(outcome: Option<&RepairOutcome>) -> String {
    match outcome {
        None => String::new(),
        Some(RepairOutcome::Repaired) => "repaired".to_owned(),
        Some(RepairOutcome::HandedOver) => "handed to staff".to_owned(),
        Some(RepairOutcome::Left(reason)) => format!("left: {reason}"),
    }
}

fn print_summary(summary: &ReconciliationSummary) {
    let ReconciliationSummary {
        compared,
        under_way,
        stuck,
        settled_by_staff,
        imported,
        ..
    } = summary;
    say(&format!(
        "orders: {compared} compared; not compared: {under_way} in progress, {stuck} stuck, \
         {settled_by_staff} resolved manually, {imported} imported"
    ));
    for (peer, listing) in &summary.listings {
        say(&match listing {
            PeerListing::Listed {
                records,
                unattributed: 0,
            } => format!("{peer}: {records} records listed"),
            PeerListing::Listed {
                records,
                unattributed,
            } => format!("{peer}: {records} records listed, of which {unattributed} name no order"),
            PeerListing::CannotBeListed(reason) => format!("{peer}: cannot be listed ({reason})"),
        });
    }
    for (peer, reason) in &summary.unavailable {
        say(&format!("{peer}: NOT COMPARED ({reason})"));
    }
    let (found, repaired) = (summary.found(), summary.repaired);
    say(&format!("findings: {found}, repaired: {repaired}"));
}

fn of_finding(finding: &Finding) -> Value {
    let (repair, reason) = match &finding.outcome {
        None => (None, None),
        Some(RepairOutcome::Repaired) => (Some("repaired"), None),
        Some(RepairOutcome::HandedOver) => (Some("handed_over"), None),
        Some(RepairOutcome::Left(reason)) => (Some("left"), Some(reason)),
    };
    json!({
        "finding": finding.kind.as_str(),
        "order_id": finding.order_id.0,
        "record_id": finding.record_id,
        "detail": finding.detail,
        "repair": repair,
        "reason": reason,
    })
}

fn of_summary(summary: &ReconciliationSummary) -> Value {
    let findings = summary
        .findings
        .iter()
        .map(|(kind, count)| (kind.as_str().to_owned(), Value::from(*count)));
    let peers = summary.listings.iter().map(|(peer, listing)| {
        let value = match listing {
            PeerListing::Listed {
                records,
                unattributed,
            } => json!({ "listed": records, "unattributed": unattributed }),
            PeerListing::CannotBeListed(reason) => json!({ "cannot_be_listed": reason }),
        };
        ((*peer).to_owned(), value)
    });
    json!({ "summary": {
        "compared": summary.compared,
        "under_way": summary.under_way,
        "stuck": summary.stuck,
        "is_manually_resolved": summary.settled_by_staff,
        "imported": summary.imported,
        "findings": findings.collect::<Map<_, _>>(),
        "repaired": summary.repaired,
        "peers": peers.collect::<Map<_, _>>(),
        "not_compared": summary.unavailable,
    }})
}
