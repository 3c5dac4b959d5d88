-- What one replica does for all of them now and then.

create table periodic_tasks (
    name        text        primary key,
    -- Rises with every claim; whoever holds an older one has been superseded.
    epoch       bigint      not null default 0,
    leased      boolean     not null default false,
    -- The end of the lease while leased, else when it is to be done again.
    due_at      timestamptz not null default now(),
    -- When it was last done to its end, and what came of it.
    finished_at timestamptz,
    result      jsonb
);

insert into periodic_tasks (name) values ('reconciliation');
