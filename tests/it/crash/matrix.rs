//! Every failpoint × every fault of every peer operation × every client flow × immediate or
//! buffered progress.
//!
//! Each combination of fault and flow first runs without a crash, to learn which failpoints it
//! passes; then once for each of these, with a process that dies there and another that continues.
//! Running all takes some minutes: `TEST_CRASHES_ONE_OF=1` crashes at every failpoint, as CI does;
//! the default is at every tenth.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use order_service::failpoints::POINTS;
use sandbox::{Fault, Kind, Operation};
use tokio::runtime::{Handle, Runtime};

use super::environment::{CrashEnvironment, ProgressMode};
use super::process::SimulatedProcess;
use super::scenario::{Flow, Scenario};
use crate::support::ledger::{of_order, violations};

/// The number of environments in use at the same time. They mostly wait for a hanging peer.
const ENVIRONMENTS: usize = 12;
/// The minimum number of crashes at each failpoint.
const MIN_CRASHES: usize = 4;
/// The number of further processes that a scenario may need: one that continues, and one after a
/// shutdown.
const MORE_PROCESSES: usize = 2;

/// A fault of one peer operation, or none.
type PeerFault = Option<(Operation, &'static str)>;

/// The names of the faults in the report.
const FAULTS: [&str; 12] = [
    "refused",
    "refused for good",
    "429",
    "503",
    "500 before",
    "500 after",
    "timeout before",
    "timeout after",
    "reset after",
    "garbage",
    "partial",
    "late arrival",
];

/// The fault of that name. `partial` means part of the goods, or part of the bytes.
fn fault(operation: Operation, name: &str) -> Fault {
    let kind = match name {
        // Lasts until staff retry; an operation that does not get stuck outlasts it.
        "refused for good" => return Fault::new(operation, Kind::Refuse).times(20),
        "refused" => Kind::Refuse,
        "429" => Kind::TooMany,
        "503" => Kind::Unavailable,
        "500 before" => Kind::ErrorBefore,
        "500 after" => Kind::ErrorAfter,
        "timeout before" => Kind::HangBefore,
        "timeout after" => Kind::HangAfter,
        "reset after" => Kind::DropAfter,
        "garbage" => Kind::Garbage,
        "partial" if operation == Operation::Reserve => Kind::Partial,
        "partial" => Kind::Truncate,
        // Longer than the client's timeout.
        _ => return Fault::new(operation, Kind::Delay).after_ms(150).times(1),
    };
    Fault::new(operation, kind).times(1)
}

/// The remaining combinations, and the results so far.
#[derive(Default)]
struct MatrixReport {
    remaining: BTreeMap<ProgressMode, VecDeque<(Flow, PeerFault)>>,
    runs: usize,
    asked: usize,
    /// One in this many failpoints is chosen for a crash.
    one_of: usize,
    crashes: BTreeMap<&'static str, usize>,
    hits: BTreeMap<&'static str, usize>,
    violations: Vec<String>,
}

impl MatrixReport {
    /// Whether to crash at `point`: it is one of `one_of`, or has had too few crashes so far.
    fn should_crash(&mut self, point: &'static str) -> bool {
        self.asked += 1;
        let too_few = self
            .crashes
            .get(point)
            .is_none_or(|crashes| *crashes < MIN_CRASHES);
        too_few || self.asked.is_multiple_of(self.one_of)
    }
}

/// The result of one scenario.
#[derive(Default)]
struct ScenarioResult {
    passed: BTreeSet<&'static str>,
    hits: bool,
    died: bool,
}

#[test]
fn no_peer_fault_or_crash_loses_or_doubles_an_order() {
    // CI runs the whole matrix.
    let one_of = std::env::var("TEST_CRASHES_ONE_OF").map_or(10, |text| text.parse().unwrap());
    let mut report = MatrixReport {
        one_of,
        ..MatrixReport::default()
    };
    for mode in ProgressMode::ALL {
        report.remaining.insert(mode, remaining());
    }
    let report = Mutex::new(report);
    let runtime = Runtime::new().unwrap();
    std::thread::scope(|scope| {
        for mode in ProgressMode::ALL.into_iter().cycle().take(ENVIRONMENTS) {
            let (report, runtime) = (&report, &runtime);
            scope.spawn(move || run_combinations(runtime.handle(), report, mode));
        }
    });
    let report = report.into_inner().unwrap();
    print(&report);
    assert_eq!(report.violations, [""; 0]);
    let missed: Vec<_> = POINTS
        .into_iter()
        .filter(|point| !report.crashes.contains_key(point))
        .collect();
    assert_eq!(missed, [""; 0], "no process died at these failpoints");
    let unmet: Vec<_> = FAULTS
        .into_iter()
        .filter(|name| !report.hits.contains_key(name))
        .collect();
    assert_eq!(unmet, [""; 0], "these faults never occurred");
}

/// Every fault of every flow.
fn remaining() -> VecDeque<(Flow, PeerFault)> {
    let mut remaining = VecDeque::new();
    for flow in Flow::ALL {
        remaining.push_back((flow, None));
        if flow == Flow::Stop {
            // The shutdown happens during a call.
            remaining.push_back((flow, Some((Operation::Charge, "timeout before"))));
            continue;
        }
        // Sagas never call the list operations.
        let on_the_way = |operation: &Operation| !operation.name().ends_with(".list");
        let faults = Operation::ALL
            .into_iter()
            .filter(on_the_way)
            .flat_map(|operation| FAULTS.map(|name| Some((operation, name))));
        remaining.extend(faults.map(|peer_fault| (flow, peer_fault)));
    }
    remaining
}

fn print(report: &MatrixReport) {
    println!(
        "{} failpoints × {} faults × {} flows × {} paces: {} runs, {} violations",
        POINTS.len(),
        FAULTS.len() + 1,
        Flow::ALL.len(),
        ProgressMode::ALL.len(),
        report.runs,
        report.violations.len()
    );
    for (name, runs) in &report.hits {
        println!("{runs:6} runs with the fault {name}");
    }
    for (point, crashes) in &report.crashes {
        println!("{crashes:6} crashes at {point}");
    }
}

/// Runs combinations one after the other in its own environment.
fn run_combinations(runtime_handle: &Handle, report: &Mutex<MatrixReport>, mode: ProgressMode) {
    let mut environment = runtime_handle.block_on(CrashEnvironment::new(mode));
    loop {
        let next = report
            .lock()
            .unwrap()
            .remaining
            .get_mut(&mode)
            .and_then(VecDeque::pop_front);
        let Some((flow, peer_fault)) = next else {
            break;
        };
        let alive = run(
            runtime_handle,
            report,
            &mut environment,
            flow,
            peer_fault,
            None,
        );
        let Some(alive) = alive.filter(|result| result.hits) else {
            continue;
        };
        for point in alive.passed {
            if report.lock().unwrap().should_crash(point) {
                run(
                    runtime_handle,
                    report,
                    &mut environment,
                    flow,
                    peer_fault,
                    Some(point),
                );
            }
        }
    }
    let judged = runtime_handle.block_on(judge_all(&mut environment));
    report.lock().unwrap().violations.extend(judged);
}

/// Records without an order, and surplus orders.
async fn judge_all(environment: &mut CrashEnvironment) -> Vec<String> {
    let mut wrong = Vec::new();
    let orders = environment.all_orders().await;
    if i64::try_from(orders.len()) != Ok(environment.keys()) {
        wrong.push(format!(
            "{} orders for {} keys",
            orders.len(),
            environment.keys()
        ));
    }
    wrong.extend(violations(&orders, &environment.ledger()));
    wrong
}

fn run(
    runtime_handle: &Handle,
    report: &Mutex<MatrixReport>,
    environment: &mut CrashEnvironment,
    flow: Flow,
    peer_fault: PeerFault,
    crash_at: Option<&'static str>,
) -> Option<ScenarioResult> {
    let result = catch_unwind(AssertUnwindSafe(|| {
        runtime_handle.block_on(run_scenario(environment, flow, peer_fault, crash_at))
    }));
    let mut report = report.lock().unwrap();
    report.runs += 1;
    let about = |what: &str| {
        format!(
            "{:?}, {flow:?}, {peer_fault:?}, death at {crash_at:?}: {what}",
            environment.mode
        )
    };
    match result {
        Ok(Ok(result)) => {
            if let Some((_, name)) = peer_fault.filter(|_| result.hits) {
                *report.hits.entry(name).or_default() += 1;
            }
            if let Some(point) = crash_at.filter(|_| result.died) {
                *report.crashes.entry(point).or_default() += 1;
            }
            Some(result)
        }
        Ok(Err(wrong)) => {
            report.violations.push(about(&wrong));
            None
        }
        Err(panic) => {
            let why = panic
                .downcast_ref::<String>()
                .map_or("panic", String::as_str);
            report.violations.push(about(why));
            None
        }
    }
}

/// Runs a whole scenario: with a process that may die, and one that continues.
async fn run_scenario(
    environment: &mut CrashEnvironment,
    flow: Flow,
    peer_fault: PeerFault,
    crash_at: Option<&'static str>,
) -> Result<ScenarioResult, String> {
    environment.sandbox.clear_faults();
    let fault = peer_fault.map(|(operation, name)| fault(operation, name));
    let key = environment.new_key();
    let mut scenario = Scenario::new(flow, key, fault);
    let mut result = ScenarioResult::default();
    let mut ended = false;
    if crash_at.is_some() {
        let mut process = SimulatedProcess::new(&environment.config, crash_at);
        process.start();
        ended = run_in_process(environment, &mut scenario, &mut process, &mut result).await;
    }
    let mut healthy = environment
        .healthy
        .take()
        .unwrap_or_else(|| SimulatedProcess::new(&environment.config, None));
    for _ in 0..MORE_PROCESSES {
        if ended {
            break;
        }
        healthy.start();
        ended = run_in_process(environment, &mut scenario, &mut healthy, &mut result).await;
        healthy.stop().await;
    }
    environment.healthy = Some(healthy);
    result.hits = match peer_fault {
        None => true,
        Some((operation, _)) => environment.calls(Some(operation)) > scenario.calls_before,
    };
    let order_id = scenario.order_id.filter(|_| ended);
    let order_id = order_id.ok_or_else(|| "not settled".to_owned())?;
    let order = environment.order(order_id).await;
    let wrong = of_order(order_id.0, &order, &environment.ledger());
    if wrong.is_empty() {
        Ok(result)
    } else {
        Err(wrong.join("; "))
    }
}

/// Runs the scenario in one process. Returns whether it reached the end.
async fn run_in_process(
    environment: &CrashEnvironment,
    scenario: &mut Scenario,
    process: &mut SimulatedProcess,
    result: &mut ScenarioResult,
) -> bool {
    let watch = process.watch.clone();
    let ended = tokio::select! {
        ended = scenario.run(environment, process) => ended.is_some(),
        () = watch.died() => false,
    };
    result.passed.extend(watch.passed());
    result.died |= watch.is_dead();
    ended
}
