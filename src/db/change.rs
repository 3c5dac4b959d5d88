//! The statement that changes an order, written once.

/// Changes an order in one statement: takes the row lock, changes the order and its saga, appends the
/// events. The order changes only if it still has the version that was read (optimistic concurrency) and
/// the common table expression `guard` has a row. `$1` is the order id, `$2` the version, `$3` to `$5` the
/// events; further binds begin at `$6`.
///
/// - `guard`: common table expressions, one of them named `guard`, that lock the saga and check it
/// - `set`: further columns of `orders`, each followed by a comma
/// - `saga`: a further common table expression that changes `fulfilments`, preceded by a comma
/// - `select`: the result; `changed` has the new `version` and `updated_at`, or no row
macro_rules! change_order {
    (
        guard: $guard:literal, set: $set:literal, saga: $saga:literal, select: $select:literal,
        $order_id:expr, $version:expr, $events:expr, $($bind:expr),* $(,)?
    ) => {
        sqlx::query!(
            "with "
                + $guard
                + r#", changed as (
                update orders set "#
                + $set
                + r#" version = version + cardinality($3::text[]),
                    updated_at = case when cardinality($3::text[]) > 0 then now() else updated_at end
                where order_id = $1 and version = $2 and exists (select from guard)
                returning version, updated_at
            ), appended as (
                insert into order_events (order_id, seq, code, actor, data)
                select $1, $2 + event.place, event.code, event.actor, event.data
                from changed, unnest($3::text[], $4::text[], $5::jsonb[])
                    with ordinality as event (code, actor, data, place)
            )"#
                + $saga
                + $select,
            $order_id,
            $version,
            &$events.codes,
            &$events.actors,
            &$events.data,
            $($bind),*
        )
    };
}

pub(super) use change_order;
