-- A placement whose answer was lost with its connection is repeated with the same identity: at most
-- one of the two may stand. An index rather than a constraint, so that it can be dropped and made
-- anew like any other while rows come by the million.
create unique index fulfilments_identity_key on fulfilments (identity);
