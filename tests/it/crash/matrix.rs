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

use super::environment::{Pace, World};
use super::process::Life;
use super::scenario::{Flow, Story};
use crate::support::ledger::{of_order, violations};

/// The number of environments in use at the same time. They mostly wait for a hanging peer.
const WORLDS: usize = 12;
/// The minimum number of crashes at each failpoint.
const FEW: usize = 4;
/// The number of further processes that a scenario may need: one that continues, and one after a
/// shutdown.
const MORE_LIVES: usize = 2;

/// A fault of one peer operation, or none.
type Mishap = Option<(Operation, &'static str)>;

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
struct Report {
    to_do: BTreeMap<Pace, VecDeque<(Flow, Mishap)>>,
    runs: usize,
    asked: usize,
    /// One in this many failpoints is chosen for a crash.
    one_of: usize,
    deaths: BTreeMap<&'static str, usize>,
    befallen: BTreeMap<&'static str, usize>,
    violations: Vec<String>,
}

impl Report {
    /// Whether to crash at `point`: it is one of `one_of`, or has had too few crashes so far.
    fn wants(&mut self, point: &'static str) -> bool {
        self.asked += 1;
        let few = self.deaths.get(point).is_none_or(|deaths| *deaths < FEW);
        few || self.asked.is_multiple_of(self.one_of)
    }
}

/// The result of one scenario.
#[derive(Default)]
struct Told {
    passed: BTreeSet<&'static str>,
    befallen: bool,
    died: bool,
}

#[test]
fn no_peer_fault_or_crash_loses_or_doubles_an_order() {
    // CI runs the whole matrix.
    let one_of = std::env::var("TEST_CRASHES_ONE_OF").map_or(10, |text| text.parse().unwrap());
    let mut report = Report {
        one_of,
        ..Report::default()
    };
    for pace in Pace::ALL {
        report.to_do.insert(pace, to_do());
    }
    let report = Mutex::new(report);
    let surroundings = Runtime::new().unwrap();
    std::thread::scope(|scope| {
        for pace in Pace::ALL.into_iter().cycle().take(WORLDS) {
            let (report, surroundings) = (&report, &surroundings);
            scope.spawn(move || walk(surroundings.handle(), report, pace));
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

/// Every fault of every flow.
fn to_do() -> VecDeque<(Flow, Mishap)> {
    let mut to_do = VecDeque::new();
    for flow in Flow::ALL {
        to_do.push_back((flow, None));
        if flow == Flow::Stop {
            // The shutdown happens during a call.
            to_do.push_back((flow, Some((Operation::Charge, "timeout before"))));
            continue;
        }
        // Sagas never call the list operations.
        let on_the_way = |operation: &Operation| !operation.name().ends_with(".list");
        let faults = Operation::ALL
            .into_iter()
            .filter(on_the_way)
            .flat_map(|operation| FAULTS.map(|name| Some((operation, name))));
        to_do.extend(faults.map(|mishap| (flow, mishap)));
    }
    to_do
}

fn print(report: &Report) {
    println!(
        "{} failpoints × {} faults × {} flows × {} paces: {} runs, {} violations",
        POINTS.len(),
        FAULTS.len() + 1,
        Flow::ALL.len(),
        Pace::ALL.len(),
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

/// Runs combinations one after the other in its own environment.
fn walk(surroundings: &Handle, report: &Mutex<Report>, pace: Pace) {
    let mut world = surroundings.block_on(World::new(pace));
    loop {
        let next = report
            .lock()
            .unwrap()
            .to_do
            .get_mut(&pace)
            .and_then(VecDeque::pop_front);
        let Some((flow, mishap)) = next else { break };
        let alive = run(surroundings, report, &mut world, flow, mishap, None);
        let Some(alive) = alive.filter(|told| told.befallen) else {
            continue;
        };
        for point in alive.passed {
            if report.lock().unwrap().wants(point) {
                run(surroundings, report, &mut world, flow, mishap, Some(point));
            }
        }
    }
    let judged = surroundings.block_on(judge_all(&mut world));
    report.lock().unwrap().violations.extend(judged);
}

/// Records without an order, and surplus orders.
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
    let about = |what: &str| {
        format!(
            "{:?}, {flow:?}, {mishap:?}, death at {deadly:?}: {what}",
            world.pace
        )
    };
    match told {
        Ok(Ok(told)) => {
            if let Some((_, name)) = mishap.filter(|_| told.befallen) {
                *report.befallen.entry(name).or_default() += 1;
            }
            if let Some(point) = deadly.filter(|_| told.died) {
                *report.deaths.entry(point).or_default() += 1;
            }
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

/// Runs a whole scenario: with a process that may die, and one that continues.
async fn tell(
    world: &mut World,
    flow: Flow,
    mishap: Mishap,
    deadly: Option<&'static str>,
) -> Result<Told, String> {
    world.sandbox.clear_faults();
    let fault = mishap.map(|(operation, name)| fault(operation, name));
    let key = world.new_key();
    let mut story = Story::new(flow, key, fault);
    let mut told = Told::default();
    let mut ended = false;
    if deadly.is_some() {
        let mut life = Life::new(&world.config, deadly);
        life.start();
        ended = live(world, &mut story, &mut life, &mut told).await;
    }
    let mut healthy = world
        .healthy
        .take()
        .unwrap_or_else(|| Life::new(&world.config, None));
    for _ in 0..MORE_LIVES {
        if ended {
            break;
        }
        healthy.start();
        ended = live(world, &mut story, &mut healthy, &mut told).await;
        healthy.stop().await;
    }
    world.healthy = Some(healthy);
    told.befallen = match mishap {
        None => true,
        Some((operation, _)) => world.calls(Some(operation)) > story.calls_before,
    };
    let order_id = story.order_id.filter(|_| ended);
    let order_id = order_id.ok_or_else(|| "not settled".to_owned())?;
    let order = world.order(order_id).await;
    let wrong = of_order(order_id.0, &order, &world.ledger());
    if wrong.is_empty() {
        Ok(told)
    } else {
        Err(wrong.join("; "))
    }
}

/// Runs the scenario in one process. Returns whether it reached the end.
async fn live(world: &World, story: &mut Story, life: &mut Life, told: &mut Told) -> bool {
    let watch = life.watch.clone();
    let ended = tokio::select! {
        ended = story.tell(world, life) => ended.is_some(),
        () = watch.died() => false,
    };
    told.passed.extend(watch.passed());
    told.died |= watch.is_dead();
    ended
}
