"""QuickFIX as one end of a measurement, with its own file store: `peer.py acceptor PORT FOLDER` or
`peer.py initiator PORT FOLDER ORDERS WINDOW`.

As acceptor it acknowledges every order, until standard input ends. As initiator it sends ORDERS orders with WINDOW of them without a
report, and prints what came of it as a line of JSON. The next order is sent by the callback that was told of a report, so that no
thread of Python waits for another.
"""

import json
import sys
import threading
import time

import quickfix as fix

ROLE, PORT, FOLDER = sys.argv[1:4]
ORDERS, WINDOW = map(int, sys.argv[4:6]) if ROLE == "initiator" else (0, 0)
ME, OTHER = ("EXCH", "GATE") if ROLE == "acceptor" else ("GATE", "EXCH")

SETTINGS = f"""[DEFAULT]
ConnectionType={ROLE}
StartTime=00:00:00
EndTime=00:00:00
UseDataDictionary=N
HeartBtInt=30
ReconnectInterval=1
FileStorePath={FOLDER}/store
ResetOnLogon=N
SocketNodelay=Y
[SESSION]
BeginString=FIX.4.4
SenderCompID={ME}
TargetCompID={OTHER}
SocketAcceptPort={PORT}
SocketReuseAddress=Y
SocketConnectHost=127.0.0.1
SocketConnectPort={PORT}
"""


def message(kind, fields):
    made = fix.Message()
    made.getHeader().setField(fix.MsgType(kind))
    for tag, value in fields:
        made.setField(fix.StringField(tag, value))
    return made


class Application(fix.Application):
    def __init__(self):
        super().__init__()
        self.session = None
        self.executions = 0
        self.sent_at = []
        self.latencies = []
        self.begun = 0
        self.done = threading.Event()

    def onCreate(self, session):
        self.session = session

    def onLogon(self, session):
        if ROLE == "initiator":
            # Not measured, as everywhere: it waits for the log-on.
            self.order(0)

    def onLogout(self, session):
        pass

    def toAdmin(self, message, session):
        pass

    def fromAdmin(self, message, session):
        pass

    def toApp(self, message, session):
        pass

    def fromApp(self, message, session):
        if ROLE == "acceptor":
            self.acknowledge(message)
        else:
            self.reported()

    def acknowledge(self, order):
        self.executions += 1
        number = str(self.executions)
        units = order.getField(38)
        fields = [
            (1, order.getField(1)), (6, "0"), (11, order.getField(11)), (14, "0"), (17, "E" + number), (37, number), (38, units),
            (39, "0"), (40, order.getField(40)), (44, order.getField(44)), (54, order.getField(54)), (55, order.getField(55)),
            (60, order.getField(60)), (150, "0"), (151, units), (207, order.getField(207)),
        ]
        fix.Session.sendToTarget(message("8", fields), self.session)

    def reported(self):
        now = time.perf_counter()
        if self.begun:
            self.latencies.append(now - self.sent_at[len(self.latencies)])
        else:
            self.begun = now
        if len(self.latencies) == ORDERS:
            self.ended = now
            self.done.set()
        while len(self.sent_at) < ORDERS and len(self.sent_at) - len(self.latencies) < WINDOW:
            self.sent_at.append(time.perf_counter())
            self.order(len(self.sent_at))

    def order(self, number):
        now = time.time()
        transact_time = time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03}"
        fields = [
            (1, "CL0001"), (11, f"C{number:018}"), (38, "65"), (40, "2"), (44, "24500.05"), (54, "2"), (55, "NIFTY26DECFUT"),
            (60, transact_time), (207, "NSE"),
        ]
        fix.Session.sendToTarget(message("D", fields), self.session)

    def ran(self):
        ms = sorted(latency * 1e3 for latency in self.latencies)
        share = lambda percent: ms[(len(ms) - 1) * percent // 100]
        return {"orders_per_s": ORDERS / (self.ended - self.begun), "p50_ms": share(50), "p99_ms": share(99)}


with open(f"{FOLDER}/settings.cfg", "w") as file:
    file.write(SETTINGS)
settings = fix.SessionSettings(f"{FOLDER}/settings.cfg")
application = Application()
store = fix.FileStoreFactory(settings)
kind = fix.SocketAcceptor if ROLE == "acceptor" else fix.SocketInitiator
end = kind(application, store, settings)
end.start()
print("started", flush=True)
if ROLE == "initiator":
    application.done.wait()
    print(json.dumps(application.ran()), flush=True)
else:
    sys.stdin.read()
end.stop()
