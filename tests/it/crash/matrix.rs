//! Every failpoint × every fault of every operation of the peers × what the client does.
//!
//! Each combination of a fault and a flow is first gone through alive, to learn which failpoints lie on
//! its way; then once for each of them, with a process that dies there and one that comes after it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use order_service::failpoints::POINTS;
use order_service::sandbox::{Fault, Kind, Operation};
use tokio::runtime::{Handle, Runtime};

use super::life::Life;
use super::story::{Flow, Story};
use super::world::World;
use crate::support::ledger::{of_order, violations};

/// How many worlds there are at a time. Most of the time they wait for a peer that hangs.
const WORLDS: usize = 8;
/// After how many lives an order must have settled.
const LIVES: usize = 4;

/// A fault at one call of one operation; none is the peers' good day.
type Mishap = Option<(Operation, &'static str)>;

/// The names that the faults have in the report.
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

/// The fault of that name. A partial answer is a part of the goods, or a part of the bytes.
fn fault(operation: Operation, name: &str) -> Fault {
    let kind = match name {
        "refused for good" => return Fault::new(operation, Kind::Refuse),
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
        // Longer than the client waits.
        _ => return Fault::new(operation, Kind::Delay).after_ms(150).times(1),
    };
    Fault::new(operation, kind).times(1)
}

/// What there is to do, and what has come of it.
#[derive(Default)]
struct Report {
    to_do: VecDeque<(Flow, Mishap)>,
    runs: usize,
    deaths: BTreeMap<&'static str, usize>,
    befallen: BTreeMap<&'static str, usize>,
    passed: BTreeSet<&'static str>,
    violations: Vec<String>,
}

/// What came of one story.
struct Told {
    passed: BTreeSet<&'static str>,
    befallen: bool,
    died: bool,
}

#[test]
fn whatever_peers_do_and_wherever_the_process_dies_no_order_is_lost_doubled_or_half_done() {
    let mut report = Report::default();
    for flow in Flow::ALL {
        report.to_do.push_back((flow, None));
        let faults = Operation::ALL
            .into_iter()
            .flat_map(|operation| FAULTS.map(|name| Some((operation, name))));
        report.to_do.extend(faults.map(|mishap| (flow, mishap)));
    }
    let report = Mutex::new(report);
    let surroundings = Runtime::new().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..WORLDS {
            scope.spawn(|| walk(surroundings.handle(), &report));
        }
    });
    let report = report.into_inner().unwrap();
    print(&report);
    assert_eq!(report.violations, [""; 0]);
    let missed: Vec<_> = POINTS
        .into_iter()
        .filter(|point| !report.deaths.contains_key(point))
        .collect();
    assert_eq!(missed, [""; 0], "nobody died at these failpoints");
    let unmet: Vec<_> = FAULTS
        .into_iter()
        .filter(|name| !report.befallen.contains_key(name))
        .collect();
    assert_eq!(unmet, [""; 0], "these faults befell nobody");
}

fn print(report: &Report) {
    println!(
        "{} failpoints × {} faults × {} flows: {} runs, {} violations",
        POINTS.len(),
        FAULTS.len() + 1,
        Flow::ALL.len(),
        report.runs,
        report.violations.len()
    );
    for (name, runs) in &report.befallen {
        println!("{runs:6} runs with the fault {name}");
    }
    for (point, deaths) in &report.deaths {
        println!("{deaths:6} deaths at {point}");
    }
}

/// Takes one combination after the other, in a world of its own.
fn walk(surroundings: &Handle, report: &Mutex<Report>) {
    let mut world = surroundings.block_on(World::new());
    loop {
        let next = report.lock().unwrap().to_do.pop_front();
        let Some((flow, mishap)) = next else { break };
        let alive = run(surroundings, report, &mut world, flow, mishap, None);
        let Some(alive) = alive.filter(|told| told.befallen) else {
            continue;
        };
        for point in alive.passed {
            run(surroundings, report, &mut world, flow, mishap, Some(point));
        }
    }
    let judged = surroundings.block_on(judge_all(&mut world));
    report.lock().unwrap().violations.extend(judged);
}

/// What belongs to no order, or to one too many.
async fn judge_all(world: &mut World) -> Vec<String> {
    let mut wrong = Vec::new();
    let orders = world.all_orders().await;
    if i64::try_from(orders.len()) != Ok(world.keys()) {
        wrong.push(format!("{} orders for {} keys", orders.len(), world.keys()));
    }
    wrong.extend(violations(&orders, &world.ledger()));
    wrong
}

fn run(
    surroundings: &Handle,
    report: &Mutex<Report>,
    world: &mut World,
    flow: Flow,
    mishap: Mishap,
    deadly: Option<&'static str>,
) -> Option<Told> {
    let told = catch_unwind(AssertUnwindSafe(|| {
        surroundings.block_on(tell(world, flow, mishap, deadly))
    }));
    let mut report = report.lock().unwrap();
    report.runs += 1;
    let about = |what: &str| format!("{flow:?}, {mishap:?}, death at {deadly:?}: {what}");
    match told {
        Ok(Ok(told)) => {
            if let Some((_, name)) = mishap.filter(|_| told.befallen) {
                *report.befallen.entry(name).or_default() += 1;
            }
            if let Some(point) = deadly.filter(|_| told.died) {
                *report.deaths.entry(point).or_default() += 1;
            }
            report.passed.extend(&told.passed);
            Some(told)
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

/// Tells a whole story, over as many lives as it takes.
async fn tell(
    world: &mut World,
    flow: Flow,
    mishap: Mishap,
    deadly: Option<&'static str>,
) -> Result<Told, String> {
    world.sandbox.clear_faults();
    if let Some((operation, name)) = mishap {
        world.sandbox.set_fault(fault(operation, name));
    }
    // The first call of the operation is the one that meets the fault.
    let calls = |world: &World| match mishap {
        None => 1,
        Some((operation, _)) => world.ledger().calls.get(&operation).copied().unwrap_or(0),
    };
    let calls_before = if mishap.is_none() { 0 } else { calls(world) };
    let key = world.new_key();
    let mut story = Story::new(flow, key);
    let mut passed = BTreeSet::new();
    let mut died = false;
    let mut ended = false;
    for number in 0..LIVES {
        let mut life = Life::begin(&world.config, deadly.filter(|_| number == 0));
        let watch = life.watch.clone();
        ended = tokio::select! {
            told = story.tell(world, &mut life) => told.is_some(),
            () = watch.died() => false,
        };
        passed.extend(watch.passed());
        died |= watch.is_dead();
        life.kill();
        if ended {
            break;
        }
    }
    let befallen = calls(world) > calls_before;
    let order_id = story.order_id.filter(|_| ended);
    let order_id = order_id.ok_or_else(|| format!("not settled after {LIVES} lives"))?;
    let order = world.order(order_id).await;
    let wrong = of_order(order_id.0, &order, &world.ledger());
    if wrong.is_empty() {
        Ok(Told {
            passed,
            befallen,
            died,
        })
    } else {
        Err(wrong.join("; "))
    }
}
