create table events (
    position integer primary key,
    stream text not null,
    version integer not null,
    event_id blob not null,
    type text not null,
    schema_version integer not null,
    occurred_at integer not null,
    recorded_at integer not null,
    actor text not null,
    request_id blob not null,
    correlation_id blob not null,
    epoch integer not null,
    body blob not null,
    constraint events_stream_version unique (stream, version),
    constraint events_event_id unique (event_id)
) strict;

-- The next position, the next version, a new id: also what keeps `insert or replace`, which fires no delete trigger, from erasing.
create trigger events_are_only_appended
before insert on events
when
    new.position is not (select coalesce(max(position), 0) + 1 from events)
    or new.version is not (select coalesce(max(version), 0) + 1 from events where stream = new.stream)
    or exists (select 1 from events where event_id = new.event_id)
begin
    select raise(fail, 'events are only appended: wrong position or version, or an event id that is already there');
end;

create trigger events_are_never_changed
before update on events
begin
    select raise(abort, 'an event is never changed');
end;

create trigger events_are_never_deleted
before delete on events
begin
    select raise(abort, 'an event is never deleted');
end;
