//! The desk of the shop's staff: any order, how many are where, and what needs a person.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;

use crate::clock;
use crate::domain::search::SortBy;
use crate::domain::status::Status as _;
use crate::domain::step::Step;
use crate::http::Shared;
use crate::http::links::Here;
use crate::http::orders::search::{self, neighbours};
use crate::http::problem::Problem;
use crate::orders::{Error, Listing, SagaStatus, StatusCount};

use super::history::{Day, Filters, days, filters};
use super::session::Visitor;
use super::words::{Moment, lasting, word};
use super::{assets, page};

mod order;

pub use order::{decide, show};

#[derive(Template)]
#[template(path = "desk.html")]
struct Page {
    visitor: Option<Visitor>,
    path: &'static str,
    overview: Option<Overview>,
    form: Filters,
    days: Vec<Day>,
    count: i64,
    is_capped: bool,
    next: Option<String>,
    previous: Option<String>,
}

/// What is shown where nothing is looked for.
struct Overview {
    counts: Vec<Count>,
    stuck: Vec<Stuck>,
}

/// How many orders have a status.
struct Count {
    status: &'static str,
    word: &'static str,
    count: i64,
    is_capped: bool,
}

impl From<StatusCount> for Count {
    fn from(counted: StatusCount) -> Self {
        Self {
            status: counted.status.as_str(),
            word: word(counted.status.as_str()),
            count: counted.count,
            is_capped: counted.is_capped,
        }
    }
}

/// An order that needs a person.
struct Stuck {
    order_id: i64,
    customer_id: i64,
    phase: &'static str,
    step: &'static str,
    since: Moment,
    age: String,
    attempts: i32,
    last_answer: String,
}

impl From<SagaStatus> for Stuck {
    fn from(found: SagaStatus) -> Self {
        Self {
            order_id: found.order_id,
            customer_id: found.customer_id,
            phase: found.phase.as_str(),
            step: found.step.map_or("", Step::as_str),
            since: found.since.into(),
            age: lasting(clock::now() - found.since),
            attempts: found.attempts,
            last_answer: found.last_answer.unwrap_or_default(),
        }
    }
}

/// The desk.
pub async fn desk(
    State(shared): State<Shared>,
    visitor: Visitor,
    here: Here,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    for_staff(&visitor)?;
    let (here, cursors) = (here.rooted(), &shared.cursors);
    let search = search::read(query.as_deref(), None, cursors)?;
    let listing = shared.orders.list(&visitor.principal, &search).await?;
    let (next, previous) = neighbours(&here, &search, cursors, &listing);
    let overview = match query.as_deref() {
        None | Some("") => Some(overview(&shared, &visitor).await?),
        Some(_) => None,
    };
    let Listing {
        orders,
        count,
        count_capped,
        ..
    } = listing;
    Ok(page(&Page {
        visitor: Some(visitor),
        path: "/desk/",
        overview,
        form: filters(&search),
        days: days(orders, search.sort_by == SortBy::CreatedAt),
        count,
        is_capped: count_capped,
        next,
        previous,
    }))
}

async fn overview(shared: &Shared, visitor: &Visitor) -> Result<Overview, Problem> {
    let caller = &visitor.principal;
    let counts = shared.orders.counts(caller).await?;
    let counts = counts.into_iter().map(Count::from).collect();
    let stuck = shared.orders.needing_attention(caller).await?;
    let stuck = stuck.into_iter().map(Stuck::from).collect();
    Ok(Overview { counts, stuck })
}

/// Whoever is not of the shop is told so, whatever is asked for.
fn for_staff(visitor: &Visitor) -> Result<(), Error> {
    match visitor.is_staff() {
        true => Ok(()),
        false => Err(Error::Forbidden("the desk is for staff")),
    }
}
