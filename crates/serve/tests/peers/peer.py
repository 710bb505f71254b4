"""What the Python client `kurrentdbclient` sees of the server. Exits with a traceback at the first thing that is not as KurrentDB's.

usage: peer.py <connection string> write|read
"""

import json
import sys
import uuid

from kurrentdbclient import KurrentDBClient, NewEvent, StreamState
from kurrentdbclient.events import CaughtUp, Checkpoint
from kurrentdbclient import exceptions


def event(kind, data, id=None, metadata=b""):
    return NewEvent(type=kind, data=json.dumps(data).encode(), id=id or uuid.uuid4(), metadata=metadata)


def refused(error, call):
    try:
        call()
    except error as refusal:
        return refusal
    raise AssertionError(f"{error.__name__} was not raised")


def write(client):
    stream = "peer-python-₹"
    first = [event("Began", {"n": n}) for n in range(3)]
    end = client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=first)

    # The same again is answered as the first time, whatever has come since.
    assert client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=first) == end
    said = json.dumps({"actor": "asha", "epoch": 7}).encode()
    client.append_to_stream(stream, current_version=2, events=event("Went", {"n": 3}, metadata=said))
    client.append_to_stream(stream, current_version=StreamState.ANY, events=event("Went", {"n": 4}))
    client.append_to_stream(stream, current_version=StreamState.EXISTS, events=event("Ended", {"n": 5}))

    conflict = refused(
        exceptions.WrongCurrentVersionError,
        lambda: client.append_to_stream(stream, current_version=3, events=event("Went", {})),
    )
    assert "5" in str(conflict), conflict
    refused(
        exceptions.WrongCurrentVersionError,
        lambda: client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=event("Went", {})),
    )
    refused(
        exceptions.WrongCurrentVersionError,
        lambda: client.append_to_stream("peer-none", current_version=StreamState.EXISTS, events=event("Went", {})),
    )

    # Forwards, backwards, from a version, so many.
    numbers = lambda events: [json.loads(event.data)["n"] for event in events]
    events = client.get_stream(stream)
    assert numbers(events) == [0, 1, 2, 3, 4, 5]
    assert [event.id for event in events[:3]] == [event.id for event in first]
    assert [event.stream_position for event in events] == [0, 1, 2, 3, 4, 5]
    assert {event.stream_name for event in events} == {stream}
    assert numbers(client.get_stream(stream, backwards=True)) == [5, 4, 3, 2, 1, 0]
    assert numbers(client.get_stream(stream, stream_position=4)) == [4, 5]
    assert numbers(client.get_stream(stream, stream_position=4, backwards=True, limit=2)) == [4, 3]
    assert client.get_current_version(stream) == 5
    assert client.get_current_version("peer-none") is StreamState.NO_STREAM
    refused(exceptions.NotFoundError, lambda: client.get_stream("peer-none"))

    # The envelope is the metadata: what was sent is in it, and what was not.
    envelope = json.loads(events[3].metadata)
    assert (envelope["actor"], envelope["epoch"]) == ("asha", 7), envelope
    assert json.loads(events[4].metadata)["$correlationId"] == str(events[4].id)
    assert len(envelope["previous"]) == 64

    # The whole log, with gaps between the positions.
    client.append_to_stream("other-1", current_version=StreamState.NO_STREAM, events=[event("Began", {"n": 9})])
    everything = list(client.read_all())
    positions = [event.commit_position for event in everything]
    assert positions == sorted(positions) and len(set(positions)) == len(positions)
    assert positions[-1] - positions[0] > len(positions)
    assert [event.commit_position for event in client.read_all(backwards=True)] == positions[::-1]
    at = positions[2]
    assert [event.commit_position for event in client.read_all(commit_position=at)] == positions[2:]
    assert [event.commit_position for event in client.read_all(commit_position=at, backwards=True)] == positions[:2][::-1]
    refused(exceptions.KurrentDBClientError, lambda: list(client.read_all(commit_position=at + 1)))
    assert client.get_commit_position() == positions[-1]
    went = client.read_all(filter_include=["Went"])
    assert numbers(went) == [3, 4]
    rest = client.read_all(filter_exclude=["Went", "Ended"])
    assert numbers(rest) == [0, 1, 2, 9]
    others = client.read_all(filter_include=["other-.*"], filter_by_stream_name=True)
    assert numbers(others) == [9]

    # Subscriptions: what was, then what comes.
    with client.subscribe_to_all(
        filter_include=["Went", "Ended"],
        include_checkpoints=True,
        include_caught_up=True,
        window_size=2,
        checkpoint_interval_multiplier=1,
    ) as subscription:
        seen, checkpoints = [], 0
        for received in subscription:
            if isinstance(received, Checkpoint):
                checkpoints += 1
            elif isinstance(received, CaughtUp):
                assert received.commit_position == positions[-1]
                break
            else:
                seen.append(received)
        assert numbers(seen) == [3, 4, 5] and checkpoints > 0
        client.append_to_stream("other-1", current_version=0, events=[event("Skipped", {"n": 10}), event("Went", {"n": 11})])
        received = next(item for item in subscription if not isinstance(item, Checkpoint))
        assert numbers([received]) == [11]
    with client.subscribe_to_stream(stream, stream_position=3, include_caught_up=True) as subscription:
        assert numbers([next(subscription), next(subscription)]) == [4, 5]
        assert isinstance(next(subscription), CaughtUp)
        client.append_to_stream(stream, current_version=5, events=event("Went", {"n": 6}))
        assert numbers([next(subscription)]) == [6]
    with client.subscribe_to_all(commit_position=positions[-1]) as subscription:
        assert numbers([next(subscription)]) == [10]

    # What the log can't keep or must not do is refused by name.
    for bad in [
        NewEvent(type="Went", data=b"x", content_type="application/octet-stream"),
        event("Went", {}, metadata=b'{"tenant": 7}'),
    ]:
        refusal = refused(
            exceptions.KurrentDBClientError,
            lambda: client.append_to_stream(stream, current_version=StreamState.ANY, events=bad),
        )
        assert "JSON" in str(refusal) or "tenant" in str(refusal), refusal
    huge = event("Went", {"n": "x" * (1 << 20)})
    refused(
        exceptions.KurrentDBClientError,
        lambda: client.append_to_stream(stream, current_version=StreamState.ANY, events=huge),
    )
    never(client, stream)
    session(client.connection_target)


def session(address):
    """A batch session by hand: this client has no call for one. Appends are answered by their ids, and the session ends when all are."""
    import grpc
    from kurrentdbclient.protos.v1 import shared_pb2, streams_pb2, streams_pb2_grpc

    def batch(n, revision):
        request = streams_pb2.BatchAppendReq(
            correlation_id=shared_pb2.UUID(string=str(uuid.uuid4())),
            options={"stream_identifier": {"stream_name": b"session-1"}},
            proposed_messages=[
                {
                    "id": {"string": str(uuid.uuid4())},
                    "metadata": {"type": "Went", "content-type": "application/json"},
                    "data": json.dumps({"n": n}).encode(),
                }
            ],
            is_final=True,
        )
        if revision is None:
            request.options.no_stream.SetInParent()
        else:
            request.options.stream_position = revision
        return request

    # Each expects what the one before it makes; the last expects what is long past.
    requests = [batch(n, n - 1 if n else None) for n in range(100)] + [batch(100, 7)]
    with grpc.insecure_channel(address) as channel:
        answers = list(streams_pb2_grpc.StreamsStub(channel).BatchAppend(iter(requests), timeout=20))
    answers = {answer.correlation_id.string: answer for answer in answers}
    assert len(answers) == 101, len(answers)
    for n, request in enumerate(requests[:-1]):
        assert answers[request.correlation_id.string].success.current_revision == n
    error = answers[requests[-1].correlation_id.string].error
    assert (error.code, error.message) == (6, "WrongExpectedVersion"), error
    conflict = shared_pb2.WrongExpectedVersion()
    assert error.details.Unpack(conflict)
    assert (conflict.current_stream_revision, conflict.expected_stream_position) == (99, 7), conflict


def read(client):
    stream = "peer-python-₹"
    assert len(client.get_stream(stream)) == 7
    refused(
        exceptions.AccessDeniedError,
        lambda: client.append_to_stream(stream, current_version=StreamState.ANY, events=event("Went", {})),
    )
    never(client, stream)


def never(client, stream):
    refused(exceptions.AccessDeniedError, lambda: client.delete_stream(stream, current_version=StreamState.ANY))
    refused(exceptions.AccessDeniedError, lambda: client.tombstone_stream(stream, current_version=StreamState.ANY))
    refused(
        exceptions.KurrentDBClientError,
        lambda: client.set_stream_metadata(stream, metadata={"$maxCount": 1}, current_version=StreamState.ANY),
    )
    refusal = refused(exceptions.GrpcError, lambda: client.create_subscription_to_all("group"))
    assert "persistent subscriptions are not served" in str(refusal), refusal


client = KurrentDBClient(uri=sys.argv[1])
{"write": write, "read": read}[sys.argv[2]](client)
client.close()
