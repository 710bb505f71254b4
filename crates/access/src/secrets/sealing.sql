-- Says under which key seeds are sealed: what only that key opens.
create table sealing (
    only_row integer primary key default 1 check (only_row = 1),
    proof blob not null
) strict;
