//! Export a whole list in constant memory. The export reads a batch after the client has received the one
//! before (backpressure), and holds no database connection in between.

use std::fmt;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use http_body_util::channel::{Channel, Sender};
use tracing::Instrument as _;

use crate::domain::order::Order;
use crate::domain::principal::Principal;
use crate::domain::search::{OrderListQuery, PagePosition};
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::QueryParameters;
use crate::orders::{self, OrderListPage, Orders};

use super::params::{FilterParams, FormatParams};
use super::search::{FILTERS, filter, sorting};
use super::views::OrderView;

/// The number of orders in a batch.
const BATCH: u32 = 500;

const COLUMNS: [&str; 17] = [
    "order_id",
    "customer_id",
    "order_status",
    "payment_status",
    "shipping_status",
    "cancel_reason",
    "currency",
    "subtotal",
    "tax",
    "shipping_fee",
    "order_total",
    "items",
    "shipping_address",
    "carrier",
    "tracking_no",
    "created_at",
    "updated_at",
];

/// The format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExportFormat {
    Csv,
    Ndjson,
}

/// Export all orders that match the filters, in one file.
///
/// The response is streamed. It contains each order once; orders placed during the export may be missing. If
/// the export fails, the service closes the connection, so that a partial file is not taken for a complete
/// one. In CSV, cells that a spreadsheet would take for formulas begin with an apostrophe.
#[utoipa::path(
    get,
    path = "/v1/orders/export/",
    tag = "orders",
    params(FormatParams, FilterParams),
    responses((status = 200, description = "The orders", content(
        (String = "text/csv"), (String = "application/x-ndjson")))),
    security(("bearer" = []))
)]
pub async fn export_orders(
    State(orders): State<Orders>,
    Caller(caller): Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (format, search) = read(query.as_deref(), &caller)?;
    // The first batch precedes the response, so that errors still produce a problem.
    let first = orders.list_without_count(&caller, &search).await?;
    let (sender, body) = Channel::new(1);
    let export = Export {
        orders,
        caller,
        search,
        format,
    };
    tokio::spawn(export.run(first, sender).in_current_span());
    let (content_type, name) = match format {
        ExportFormat::Csv => ("text/csv; charset=utf-8; header=present", "orders.csv"),
        ExportFormat::Ndjson => ("application/x-ndjson", "orders.ndjson"),
    };
    let headers = [
        (CONTENT_TYPE, content_type.to_owned()),
        (
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    // The compression middleware polls the body after its end, which a channel does not allow.
    Ok((headers, Body::new(body.fuse())).into_response())
}

fn read(
    query: Option<&str>,
    caller: &Principal,
) -> Result<(ExportFormat, OrderListQuery), Problem> {
    let mut parameters = QueryParameters::read(query, &[&["format"], &FILTERS[..]].concat());
    let formats = [("csv", ExportFormat::Csv), ("ndjson", ExportFormat::Ndjson)];
    let format = parameters.one_of("format", &formats, ExportFormat::Csv);
    let filter = filter(&mut parameters, caller.owner());
    let (sort_by, sort_dir) = sorting(&mut parameters, &filter);
    let search = OrderListQuery {
        filter,
        sort_by,
        sort_dir,
        position: PagePosition::First,
        size: BATCH,
    };
    parameters.finish((format, search))
}

/// The error that ends an export early.
#[derive(Debug)]
enum ExportError {
    Read(orders::Error),
    Write(csv::Error),
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the export cannot continue")
    }
}

impl std::error::Error for ExportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read(error) => Some(error),
            Self::Write(error) => Some(error),
        }
    }
}

/// An export in progress.
struct Export {
    orders: Orders,
    caller: Principal,
    search: OrderListQuery,
    format: ExportFormat,
}

impl Export {
    /// Sends batches until the list ends or the client disconnects.
    async fn run(mut self, first: OrderListPage, mut sender: Sender<Bytes, ExportError>) {
        let mut listing = first;
        let mut header = true;
        loop {
            let next = listing.next;
            let rows = match self.rows(listing.orders, header) {
                Ok(rows) => rows,
                Err(error) => return abort(sender, ExportError::Write(error)),
            };
            header = false;
            if !rows.is_empty() && sender.send_data(rows.into()).await.is_err() {
                return;
            }
            let Some(key) = next else { return };
            self.search.position = PagePosition::After(key);
            listing = match self
                .orders
                .list_without_count(&self.caller, &self.search)
                .await
            {
                Ok(listing) => listing,
                Err(error) => return abort(sender, ExportError::Read(error)),
            };
        }
    }

    fn rows(&self, orders: Vec<Order>, header: bool) -> Result<Vec<u8>, csv::Error> {
        let views = orders
            .into_iter()
            .map(|order| OrderView::new(order, &self.caller));
        let mut rows = Vec::new();
        match self.format {
            ExportFormat::Ndjson => {
                for view in views {
                    serde_json::to_writer(&mut rows, &view).map_err(std::io::Error::from)?;
                    rows.push(b'\n');
                }
            }
            ExportFormat::Csv => {
                let mut writer = csv::Writer::from_writer(&mut rows);
                if header {
                    writer.write_record(COLUMNS)?;
                }
                for view in views {
                    writer.write_record(view.cells().map(escape_formula))?;
                }
                writer.flush()?;
            }
        }
        Ok(rows)
    }
}

/// Aborts the body, so that the client detects the partial file.
fn abort(sender: Sender<Bytes, ExportError>, error: ExportError) {
    tracing::error!(error = &error as &dyn std::error::Error, "export aborted");
    sender.abort(error);
}

/// Escapes a cell that a spreadsheet would take for a formula (CSV injection).
fn escape_formula(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        return format!("'{cell}");
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_formulas_are_escaped() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(escape_formula(cell.to_owned()), format!("'{cell}"));
        }
        for cell in ["", "1", "a=b", " =1", "SKU-1"] {
            assert_eq!(escape_formula(cell.to_owned()), cell);
        }
    }
}
