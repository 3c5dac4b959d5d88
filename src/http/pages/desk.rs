//! The desk, the start page of staff: search in all orders, counts by status, and orders that need
//! attention.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;

use crate::clock;
use crate::domain::search::SortBy;
use crate::domain::status::Status as _;
use crate::domain::step::Step;
use crate::http::links::RequestLinks;
use crate::http::orders::search::{self, neighbours};
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::orders::{OrderListPage, SagaStatus, StatusCount};

use super::assets;
use super::display::{DisplayTime, duration_text, status_name};
use super::list::{DayGroup, FilterForm, day_groups, filter_form};
use super::render::page;
use super::visitor::Visitor;

#[derive(Template)]
#[template(path = "desk.html")]
struct DeskPage {
    visitor: Option<Visitor>,
    path: &'static str,
    overview: Option<Overview>,
    form: FilterForm,
    days: Vec<DayGroup>,
    count: i64,
    is_capped: bool,
    next: Option<String>,
    previous: Option<String>,
}

/// The counts and the orders that need attention. The desk shows them without a search.
struct Overview {
    counts: Vec<StatusTile>,
    stuck: Vec<StuckCard>,
}

/// The number of orders in a status.
struct StatusTile {
    status: &'static str,
    word: &'static str,
    count: i64,
    is_capped: bool,
}

impl From<StatusCount> for StatusTile {
    fn from(counted: StatusCount) -> Self {
        Self {
            status: counted.status.as_str(),
            word: status_name(counted.status.as_str()),
            count: counted.count,
            is_capped: counted.is_capped,
        }
    }
}

/// An order that needs attention.
struct StuckCard {
    order_id: i64,
    customer_id: i64,
    phase: &'static str,
    step: &'static str,
    since: DisplayTime,
    age: String,
    attempts: i32,
    last_answer: String,
}

impl From<SagaStatus> for StuckCard {
    fn from(found: SagaStatus) -> Self {
        Self {
            order_id: found.order_id,
            customer_id: found.customer_id,
            phase: found.phase.as_str(),
            step: found.step.map_or("", Step::as_str),
            since: found.since.into(),
            age: duration_text(clock::now() - found.since),
            attempts: found.attempts,
            last_answer: found.last_answer.unwrap_or_default(),
        }
    }
}

/// Shows the desk.
pub async fn desk(
    State(state): State<HttpState>,
    visitor: Visitor,
    links: RequestLinks,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    visitor.require_staff()?;
    let (links, cursors) = (links.relative(), &state.cursors);
    let search = search::read(query.as_deref(), None, cursors)?;
    let listing = state.orders.list(&visitor.principal, &search).await?;
    let (next, previous) = neighbours(&links, &search, cursors, &listing);
    let overview = match query.as_deref() {
        None | Some("") => Some(overview(&state, &visitor).await?),
        Some(_) => None,
    };
    let OrderListPage {
        orders,
        count,
        count_capped,
        ..
    } = listing;
    Ok(page(&DeskPage {
        visitor: Some(visitor),
        path: "/desk/",
        overview,
        form: filter_form(&search),
        days: day_groups(orders, search.sort_by == SortBy::CreatedAt),
        count,
        is_capped: count_capped,
        next,
        previous,
    }))
}

async fn overview(state: &HttpState, visitor: &Visitor) -> Result<Overview, Problem> {
    let caller = &visitor.principal;
    let counts = state.orders.counts(caller).await?;
    let counts = counts.into_iter().map(StatusTile::from).collect();
    let stuck = state.orders.needing_attention(caller).await?;
    let stuck = stuck.into_iter().map(StuckCard::from).collect();
    Ok(Overview { counts, stuck })
}
