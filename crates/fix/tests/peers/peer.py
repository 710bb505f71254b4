"""QuickFIX on the other end, for tests/it/live.rs: `peer.py acceptor|initiator PORT FOLDER [ORDERS]`.

As acceptor it is an exchange that acknowledges every order and fills it at once, but for symbol RACE: that one is filled
when its cancel comes, which is then too late. As initiator it sends ORDERS orders, every third of them such a race, and prints
each report: ClOrdID, type, number. It ends when standard input ends.
"""

import sys
import threading
import time

import quickfix as fix

ROLE, PORT, FOLDER = sys.argv[1:4]
ORDERS = int(sys.argv[4]) if len(sys.argv) > 4 else 0
ME, OTHER = ("EXCH", "GATE") if ROLE == "acceptor" else ("GATE", "EXCH")

SETTINGS = f"""[DEFAULT]
ConnectionType={ROLE}
StartTime=00:00:00
EndTime=00:00:00
UseDataDictionary=N
HeartBtInt=30
ReconnectInterval=1
FileStorePath={FOLDER}/store
FileLogPath={FOLDER}/log
ResetOnLogon=N
[SESSION]
BeginString=FIX.4.4
SenderCompID={ME}
TargetCompID={OTHER}
SocketAcceptPort={PORT}
SocketReuseAddress=Y
SocketConnectHost=127.0.0.1
SocketConnectPort={PORT}
"""


def field(message, tag):
    return message.getField(tag) if message.isSetField(tag) else ""


def message(kind, fields):
    made = fix.Message()
    made.getHeader().setField(fix.MsgType(kind))
    for tag, value in fields:
        made.setField(fix.StringField(tag, str(value)))
    return made


class Application(fix.Application):
    def __init__(self):
        super().__init__()
        self.session = None
        self.executions = 0
        self.reports = set()

    def onCreate(self, session):
        self.session = session

    def onLogon(self, session):
        print("logged on", flush=True)

    def onLogout(self, session):
        print("logged out", flush=True)

    def toAdmin(self, message, session):
        pass

    def fromAdmin(self, message, session):
        pass

    def toApp(self, message, session):
        pass

    def fromApp(self, message, session):
        kind = message.getHeader().getField(35)
        if ROLE == "initiator":
            seen = (field(message, 11), field(message, 150) or kind)
            self.reports.add(seen)
            print("report", *seen, message.getHeader().getField(34), flush=True)
        elif kind == "D":
            self.report(message, "0", "0", 0)
            if field(message, 55) != "RACE":
                self.report(message, "F", "2", 1)
        elif kind == "F":
            self.report(message, "F", "2", 1, field(message, 41))
            self.reject(message)

    def report(self, order, kind, status, filled, cl_ord_id=None):
        self.executions += 1
        units = int(field(order, 38))
        cl_ord_id = cl_ord_id or field(order, 11)
        fields = [
            (6, "1.5" if filled else "0"), (11, cl_ord_id), (14, units * filled), (17, f"E{self.executions}"),
            (37, f"X-{cl_ord_id}"), (38, units), (39, status), (54, field(order, 54)), (55, field(order, 55)),
            (150, kind), (151, units * (1 - filled)),
        ]
        if filled:
            fields += [(31, "1.5"), (32, units)]
        fix.Session.sendToTarget(message("8", fields), self.session)

    def reject(self, cancel):
        original = field(cancel, 41)
        fields = [(11, field(cancel, 11)), (37, f"X-{original}"), (39, "2"), (41, original), (102, "0"), (434, "1")]
        fix.Session.sendToTarget(message("9", fields), self.session)

    def order(self, number):
        now = time.strftime("%Y%m%d-%H:%M:%S", time.gmtime())
        symbol = "RACE" if number % 3 == 0 else "TCS"
        common = [(38, 5), (54, 1), (55, symbol), (60, now)]
        order = [(11, f"Q{number}"), (21, 1), (40, 2), (44, "1.5")] + common
        fix.Session.sendToTarget(message("D", order), self.session)
        if symbol == "RACE":
            cancel = [(11, f"K{number}"), (41, f"Q{number}")] + common
            fix.Session.sendToTarget(message("F", cancel), self.session)

    def finished(self):
        wanted = {(f"Q{n}", kind) for n in range(1, ORDERS + 1) for kind in ("0", "F")}
        wanted |= {(f"K{n}", "9") for n in range(3, ORDERS + 1, 3)}
        return wanted <= self.reports


def send(application):
    for number in range(1, ORDERS + 1):
        application.order(number)
        time.sleep(0.05)
    while not application.finished():
        time.sleep(0.01)
    print("done", flush=True)


with open(f"{FOLDER}/settings.cfg", "w") as file:
    file.write(SETTINGS)
settings = fix.SessionSettings(f"{FOLDER}/settings.cfg")
application = Application()
store = fix.FileStoreFactory(settings)
log = fix.FileLogFactory(settings)
kind = fix.SocketAcceptor if ROLE == "acceptor" else fix.SocketInitiator
end = kind(application, store, settings, log)
end.start()
print("started", flush=True)
if ROLE == "initiator":
    threading.Thread(target=send, args=[application], daemon=True).start()
sys.stdin.read()
end.stop()
